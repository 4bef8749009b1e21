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

/// What a value says about its own length.
enum Token {
    /// It ends here, which may be beyond the bytes present.
    Next(usize),
    /// It is this level, whose first value is here.
    Open(usize, Level),
    /// Bytes are needed up to here to tell.
    Cut(usize),
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
        while let Some(mut level) = self.levels.pop() {
            let next = match &mut level {
                Level::Struct => pass_fields(bytes, &mut self.at),
                Level::Values { even, odd, left } => pass_values(bytes, &mut self.at, *even, *odd, left),
            };
            // What stopped it is the level's end, or a value that is a level itself, or cut, or wrong.
            let token = match next {
                Next::End => continue,
                Next::Cut(needed) => return self.stay(level, needed, bounds),
                Next::Field => token(bytes, self.at + 3, kind_at(bytes, self.at)?, bounds)?,
                Next::Value(kind) => token(bytes, self.at, kind, bounds)?,
            };
            let inner = match token {
                Token::Cut(needed) => return self.stay(level, needed, bounds),
                Token::Next(at) => {
                    self.at = at;
                    None
                }
                Token::Open(at, inner) => {
                    self.at = at;
                    Some(inner)
                }
            };
            if let Level::Values { left, .. } = &mut level {
                *left -= 1;
            }
            self.levels.push(level);
            if let Some(inner) = inner {
                if self.levels.len() >= bounds.depth_max {
                    return Err(Fault { at: self.at, what: "values are nested too deep", hint: HINT_DEPTH });
                }
                self.levels.push(inner);
            }
        }
        Ok((self.at <= bytes.len()).then_some(self.at))
    }

    /// Waits in this level for bytes up to `needed`.
    fn stay(&mut self, level: Level, needed: usize, bounds: Bounds) -> Result<Option<usize>, Fault> {
        self.levels.push(level);
        within(needed, bounds).map(|_| None)
    }
}

/// Why the fast way through a level ended.
enum Next {
    /// The level has ended.
    End,
    /// The field here has a value that [`leaf_end`] does not find the end of.
    Field,
    /// Neither has the value of this type here.
    Value(Kind),
    /// Bytes are needed up to here.
    Cut(usize),
}

/// Passes over fields at `at` until one needs a closer look.
#[inline]
fn pass_fields(bytes: &[u8], at: &mut usize) -> Next {
    loop {
        let Some(&code) = bytes.get(*at) else { return Next::Cut(*at + 1) };
        if code == STOP {
            *at += 1;
            return Next::End;
        }
        match Kind::from_code(code).and_then(|kind| leaf_end(bytes, *at + 3, kind)) {
            Some(end) => *at = end,
            None => return Next::Field,
        }
    }
}

/// Passes over values of a container at `at` until one needs a closer look.
#[inline]
fn pass_values(bytes: &[u8], at: &mut usize, even: Kind, odd: Kind, left: &mut u32) -> Next {
    while *left > 0 {
        let kind = if left.is_multiple_of(2) { even } else { odd };
        match leaf_end(bytes, *at, kind) {
            Some(end) => *at = end,
            None => return Next::Value(kind),
        }
        *left -= 1;
    }
    Next::End
}

/// The end of a value that has no values inside, if it is all there.
#[inline]
fn leaf_end(bytes: &[u8], at: usize, kind: Kind) -> Option<usize> {
    let end = match kind {
        Kind::Bool | Kind::Byte | Kind::I16 | Kind::I32 | Kind::I64 | Kind::Double => at + kind.least_bytes(),
        Kind::String => {
            at + 4 + usize::try_from(i32::from_be_bytes(*bytes.get(at..)?.first_chunk()?)).ok()?
        }
        Kind::Struct | Kind::Map | Kind::Set | Kind::List => return None,
    };
    (end <= bytes.len()).then_some(end)
}

/// The end of the value of type `kind` at the beginning of `bytes`, or `None` if they end before it does.
pub(crate) fn value_end(bytes: &[u8], kind: Kind, depth_max: usize) -> Result<Option<usize>, Fault> {
    let bounds = Bounds { end_max: usize::MAX, depth_max };
    match token(bytes, 0, kind, bounds)? {
        Token::Next(end) => Ok((end <= bytes.len()).then_some(end)),
        Token::Open(at, level) => Scanner { levels: vec![level], at }.run(bytes, bounds),
        Token::Cut(_) => Ok(None),
    }
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
fn token(bytes: &[u8], at: usize, kind: Kind, bounds: Bounds) -> Result<Token, Fault> {
    let end = match kind {
        Kind::Bool | Kind::Byte | Kind::I16 | Kind::I32 | Kind::I64 | Kind::Double => at + kind.least_bytes(),
        Kind::String => match length_at(bytes, at)? {
            Some(length) => at + 4 + length,
            None => return Ok(Token::Cut(at + 4)),
        },
        Kind::Struct => return Ok(Token::Open(at, Level::Struct)),
        Kind::Map | Kind::Set | Kind::List => return container(bytes, at, kind, bounds),
    };
    within(end, bounds).map(Token::Next)
}

fn container(bytes: &[u8], at: usize, kind: Kind, bounds: Bounds) -> Result<Token, Fault> {
    let types = if kind == Kind::Map { 2 } else { 1 };
    let first_at = at + types + 4;
    let count = match length_at(bytes, at + types)? {
        None => return Ok(Token::Cut(first_at)),
        Some(0) => return Ok(Token::Next(first_at)),
        Some(count) => count,
    };
    let (even, odd) = (kind_at(bytes, at)?, kind_at(bytes, at + types - 1)?);
    let entry_bytes =
        if kind == Kind::Map { even.least_bytes() + odd.least_bytes() } else { even.least_bytes() };
    let end = within(first_at + count * entry_bytes, bounds)?;
    if even.is_fixed() && odd.is_fixed() {
        return Ok(Token::Next(end));
    }
    let left = u32::try_from(count * types).expect("twice an i32 count is less than 2^32");
    Ok(Token::Open(first_at, Level::Values { even, odd, left }))
}
