//! The head of a message: framing, version, name, kind and number.
//!
//! ```text
//! strict:      80 01 00 KIND   name string   sequence i32   struct
//! non-strict:  name string   KIND   sequence i32   struct
//! framed:      length i32, then one of these
//! ```

use crate::foreign::{Foreign, HINT_THRIFT};
use crate::message::{Dialect, MessageKind};
use crate::scan::{Fault, HINT_CONTRACT, HINT_LENGTH};

/// Longest name of a method, in bytes.
const NAME_BYTES_MAX: usize = 256;
const VERSION_MASK: u32 = 0xffff_0000;
pub(crate) const VERSION_1: u32 = 0x8001_0000;

/// The shortest message: non-strict, one byte of name, no arguments.
const MESSAGE_BYTES_MIN: usize = 4 + 1 + 1 + 4 + 1;

/// A head that was read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub(crate) dialect: Dialect,
    pub(crate) kind: MessageKind,
    pub(crate) sequence: i32,
    pub(crate) name: (usize, usize),
    /// Where the struct begins.
    pub(crate) body: usize,
    /// Where the message must end at the latest.
    pub(crate) end_max: usize,
}

#[inline]
fn word_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|word| u32::from_be_bytes(*word))
}

/// Whether a connection that begins with `bytes` is framed; `None` if more of them are needed to tell.
///
/// A length is less than 2^31, so a first bit that is set means unframed and strict. Otherwise the first four bytes are
/// the length of a frame or of a name. Behind the length of a frame stands 0x80 (strict) or the length of a name, which
/// begins with 0; behind the length of a name stands its first letter.
pub(crate) fn detect_framed(bytes: &[u8], message_bytes_max: usize) -> Result<Option<bool>, Fault> {
    let Some(word) = word_at(bytes, 0) else { return Ok(None) };
    if word & VERSION_MASK == VERSION_1 {
        return Ok(Some(false));
    }
    if let Some(foreign) = Foreign::recognize(bytes, message_bytes_max) {
        return Err(Fault { at: 0, what: foreign.fault(), hint: foreign.hint() });
    }
    let unknown = |what| Err(Fault { at: 0, what, hint: HINT_THRIFT });
    if word as usize > message_bytes_max {
        return match bytes {
            [0x80..=0xff, ..] => unknown("the connection begins with another version than Thrift's 0x8001"),
            _ => Err(Fault { at: 0, what: "the first message's length is out of range", hint: HINT_LENGTH }),
        };
    }
    match bytes.get(4) {
        None => Ok(None),
        Some(0x80 | 0) => Ok(Some(true)),
        Some(byte) if byte.is_ascii_graphic() => Ok(Some(false)),
        Some(_) => unknown("the connection does not begin with a Thrift message"),
    }
}

/// Reads the head of the message at the beginning of `bytes`; `None` if it is not all there.
#[inline]
pub(crate) fn read(bytes: &[u8], framed: bool, message_bytes_max: usize) -> Result<Option<Head>, Fault> {
    let (at, end_max) = if framed {
        let Some(word) = word_at(bytes, 0) else { return Ok(None) };
        let length = word as usize;
        if length > message_bytes_max {
            return Err(Fault { at: 0, what: "a frame is longer than allowed", hint: HINT_LENGTH });
        }
        if length < MESSAGE_BYTES_MIN {
            return Err(Fault { at: 0, what: "a frame is too short for a message", hint: HINT_CONTRACT });
        }
        (4, 4 + length)
    } else {
        (0, message_bytes_max)
    };
    let head = read_message_head(bytes, at, end_max, framed)?;
    let reached = head.map_or(bytes.len(), |head| head.body);
    if reached >= end_max {
        return Err(Fault {
            at: end_max,
            what: "a message's head does not end within its length",
            hint: HINT_LENGTH,
        });
    }
    Ok(head)
}

#[inline]
fn read_message_head(bytes: &[u8], at: usize, end_max: usize, framed: bool) -> Result<Option<Head>, Fault> {
    let Some(word) = word_at(bytes, at) else { return Ok(None) };
    let strict = word & VERSION_MASK == VERSION_1;
    if !strict && word >= 1 << 31 {
        return Err(Fault { at, what: "another version than Thrift's 0x8001", hint: HINT_THRIFT });
    }
    let length_at = if strict { at + 4 } else { at };
    let Some(length) = word_at(bytes, length_at) else { return Ok(None) };
    let length = length as usize;
    if length == 0 || length > NAME_BYTES_MAX {
        let what = "the length of a method's name is not 1 to 256 bytes";
        return Err(Fault { at: length_at, what, hint: HINT_CONTRACT });
    }
    let name = (length_at + 4, length_at + 4 + length);
    let (kind_at, sequence_at) = if strict { (at + 3, name.1) } else { (name.1, name.1 + 1) };
    let Some(sequence) = word_at(bytes, sequence_at) else { return Ok(None) };
    let kind = match bytes[kind_at] {
        1 => MessageKind::Call,
        2 => MessageKind::Reply,
        3 => MessageKind::Exception,
        4 => MessageKind::Oneway,
        _ => {
            let what = "a message is neither call, reply, exception nor oneway";
            return Err(Fault { at: kind_at, what, hint: HINT_CONTRACT });
        }
    };
    let sequence = sequence.cast_signed();
    Ok(Some(Head {
        dialect: Dialect { strict, framed },
        kind,
        sequence,
        name,
        body: sequence_at + 4,
        end_max,
    }))
}

/// Dialect, name and number of a message that can't be read, as far as they are there; `None` if not even the
/// dialect is sure.
pub(crate) fn read_leniently(bytes: &[u8], framed: Option<bool>) -> Option<(Dialect, Vec<u8>, i32)> {
    let framed = framed?;
    let at = if framed { 4 } else { 0 };
    let word = word_at(bytes, at)?;
    let strict = word & VERSION_MASK == VERSION_1;
    let length_at = if strict { at + 4 } else { at };
    let name_at = length_at + 4;
    let dialect = Dialect { strict, framed };
    let length =
        word_at(bytes, length_at).map(|length| length as usize).filter(|length| *length <= NAME_BYTES_MAX);
    let name = length.and_then(|length| bytes.get(name_at..name_at + length));
    if name.is_none() && !strict {
        return None;
    }
    let sequence = name.and_then(|name| word_at(bytes, name_at + name.len() + usize::from(!strict)));
    Some((dialect, name.unwrap_or_default().to_vec(), sequence.unwrap_or_default().cast_signed()))
}
