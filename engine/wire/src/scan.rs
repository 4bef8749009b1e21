//! Finds the end of a value without recursion, and can stop and go on wherever the bytes end.
//!
//! What is kept between two runs is a place and a stack of open structs and containers. A token (a field's header
//! with what its value says about its own length) is at most nine bytes long and is read again when it was cut, so
//! the work is linear in the bytes even if they come one by one. Nothing is allocated but the stack.

use crate::kind::{Kind, STOP};

/// What is wrong with the bytes, where, and what the sender can do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) at: usize,
    pub(crate) what: &'static str,
    pub(crate) hint: &'static str,
}

/// Hint for bytes that no Thrift client sends.
pub(crate) const HINT_CONTRACT: &str =
    "send Thrift's TBinaryProtocol, with code generated from this version's logtank.thrift";
/// Hint for what is longer than allowed.
pub(crate) const HINT_LENGTH: &str = "send less in one message, or raise message_bytes_max";
/// Hint for what is nested deeper than allowed.
pub(crate) const HINT_DEPTH: &str = "no struct of logtank.thrift is nested that deep";

/// An open struct or container.
#[derive(Clone, Copy, Debug)]
enum Level {
    Struct,
    /// `left` values to come. Those of a map alternate: a key while `left` is even, a value while it is odd.
    Values {
        even: Kind,
        odd: Kind,
        left: u32,
    },
}

/// What is behind a token.
enum Token {
    /// The next one, here. May lie beyond the bytes present.
    Next(usize),
    /// The inside of this level, from here.
    Open(usize, Level),
    /// More bytes are needed to tell.
    Cut,
}

/// How far a value may reach.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Offset that no value may end behind.
    pub(crate) end_max: usize,
    /// Structs and containers open at once.
    pub(crate) depth_max: usize,
}

#[derive(Debug)]
pub(crate) struct Scanner {
    levels: Vec<Level>,
    at: usize,
}

impl Scanner {
    pub(crate) const fn new() -> Self {
        Self { levels: Vec::new(), at: 0 }
    }

    /// Begins with the struct at `at`.
    pub(crate) fn begin_struct(&mut self, at: usize) {
        self.levels.clear();
        self.levels.push(Level::Struct);
        self.at = at;
    }

    /// Bytes must reach at least to here before a run can get any further.
    pub(crate) const fn needed(&self) -> usize {
        self.at + 1
    }

    /// Goes on in `bytes`, which begin like those of the run before. Returns the end of the value if it is there.
    pub(crate) fn run(&mut self, bytes: &[u8], bounds: Bounds) -> Result<Option<usize>, Fault> {
        let bytes = &bytes[..bytes.len().min(bounds.end_max)];
        while let Some(level) = self.levels.last_mut() {
            let token = match level {
                Level::Struct => {
                    let Some(&code) = bytes.get(self.at) else { return cut(self.at + 1, bounds) };
                    if code == STOP {
                        self.at += 1;
                        self.levels.pop();
                        continue;
                    }
                    value(bytes, self.at + 3, kind_at(bytes, self.at)?, bounds)?
                }
                Level::Values { left: 0, .. } => {
                    self.levels.pop();
                    continue;
                }
                Level::Values { even, odd, left } => {
                    let kind = if *left % 2 == 0 { *even } else { *odd };
                    let token = value(bytes, self.at, kind, bounds)?;
                    if !matches!(token, Token::Cut) {
                        *left -= 1;
                    }
                    token
                }
            };
            match token {
                Token::Next(at) => self.at = at,
                Token::Open(at, level) => {
                    if self.levels.len() >= bounds.depth_max {
                        return Err(Fault {
                            at: self.at,
                            what: "values are nested too deep",
                            hint: HINT_DEPTH,
                        });
                    }
                    self.levels.push(level);
                    self.at = at;
                }
                Token::Cut => return Ok(None),
            }
        }
        Ok((self.at <= bytes.len()).then_some(self.at))
    }
}

/// The end of the value of type `kind` at `at`, or `None` if the bytes end before it does.
pub(crate) fn value_end(
    bytes: &[u8],
    at: usize,
    kind: Kind,
    depth_max: usize,
) -> Result<Option<usize>, Fault> {
    let bounds = Bounds { end_max: usize::MAX, depth_max };
    match value(bytes, at, kind, bounds)? {
        Token::Next(end) => Ok((end <= bytes.len()).then_some(end)),
        Token::Open(at, level) => Scanner { levels: vec![level], at }.run(bytes, bounds),
        Token::Cut => Ok(None),
    }
}

fn cut<T>(needed: usize, bounds: Bounds) -> Result<Option<T>, Fault> {
    within(needed, bounds).map(|_| None)
}

#[inline]
fn within(end: usize, bounds: Bounds) -> Result<usize, Fault> {
    if end > bounds.end_max {
        return Err(Fault {
            at: end,
            what: "a value does not end within the message's length",
            hint: HINT_LENGTH,
        });
    }
    Ok(end)
}

fn kind_at(bytes: &[u8], at: usize) -> Result<Kind, Fault> {
    Kind::from_code(bytes[at]).ok_or(Fault { at, what: "no such Thrift type", hint: HINT_CONTRACT })
}

/// The i32 length or count at `at`, or `None` if the bytes end before it does.
#[inline]
fn length_at(bytes: &[u8], at: usize) -> Result<Option<usize>, Fault> {
    let Some(word) = bytes.get(at..).and_then(<[u8]>::first_chunk) else { return Ok(None) };
    match usize::try_from(i32::from_be_bytes(*word)) {
        Ok(length) => Ok(Some(length)),
        Err(_) => Err(Fault { at, what: "a length is negative", hint: HINT_CONTRACT }),
    }
}

#[inline]
fn value(bytes: &[u8], at: usize, kind: Kind, bounds: Bounds) -> Result<Token, Fault> {
    let cut = |needed| within(needed, bounds).map(|_| Token::Cut);
    match kind {
        Kind::Bool | Kind::Byte => within(at + 1, bounds).map(Token::Next),
        Kind::I16 => within(at + 2, bounds).map(Token::Next),
        Kind::I32 => within(at + 4, bounds).map(Token::Next),
        Kind::I64 | Kind::Double => within(at + 8, bounds).map(Token::Next),
        Kind::String => match length_at(bytes, at)? {
            Some(length) => within(at + 4 + length, bounds).map(Token::Next),
            None => cut(at + 4),
        },
        Kind::Struct => Ok(Token::Open(at, Level::Struct)),
        Kind::Set | Kind::List => match length_at(bytes, at + 1)? {
            Some(0) => Ok(Token::Next(at + 5)),
            Some(count) => {
                let kind = kind_at(bytes, at)?;
                values(at + 5, kind, kind, count, kind.least_bytes(), count, bounds)
            }
            None => cut(at + 5),
        },
        Kind::Map => match length_at(bytes, at + 2)? {
            Some(0) => Ok(Token::Next(at + 6)),
            Some(count) => {
                let (key, value) = (kind_at(bytes, at)?, kind_at(bytes, at + 1)?);
                values(at + 6, key, value, count, key.least_bytes() + value.least_bytes(), 2 * count, bounds)
            }
            None => cut(at + 6),
        },
    }
}

/// A container of `count` entries of at least `entry_bytes` each, which are `left` values together.
fn values(
    at: usize,
    even: Kind,
    odd: Kind,
    count: usize,
    entry_bytes: usize,
    left: usize,
    bounds: Bounds,
) -> Result<Token, Fault> {
    let end = within(at + count * entry_bytes, bounds)?;
    if even.is_fixed() && odd.is_fixed() {
        return Ok(Token::Next(end));
    }
    let left = u32::try_from(left).expect("twice an i32 count is less than 2^32");
    Ok(Token::Open(at, Level::Values { even, odd, left }))
}
