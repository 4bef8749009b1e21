//! Reads values one after the other from bytes that are all there.

use crate::decode_error::DecodeError;
use crate::kind::{Kind, STOP};
use crate::scan::{self, Fault};

/// Nesting up to which values that nobody asked for are skipped.
const SKIP_DEPTH_MAX: usize = 64;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
    /// How long `rest` was in the beginning.
    length: usize,
}

/// Types and count in front of a container's values. Types are codes, because an empty container may have any.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Container<const TYPES: usize> {
    pub(crate) types: [u8; TYPES],
    pub(crate) count: u32,
}

impl<'a> Cursor<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, length: bytes.len() }
    }

    /// How much was read.
    #[inline]
    pub(crate) const fn at(&self) -> usize {
        self.length - self.rest.len()
    }

    #[inline]
    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// What was read since `earlier`, a copy made of this cursor.
    #[inline]
    pub(crate) fn since(&self, earlier: &Self) -> &'a [u8] {
        &earlier.rest[..earlier.rest.len() - self.rest.len()]
    }

    pub(crate) const fn malformed(&self, what: &'static str) -> DecodeError {
        DecodeError::Malformed { offset: self.at(), what }
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (array, rest) = self.rest.split_first_chunk().ok_or(DecodeError::Incomplete)?;
        self.rest = rest;
        Ok(*array)
    }

    #[inline]
    pub(crate) fn bool(&mut self) -> Result<bool, DecodeError> {
        // Like the original: a byte that is neither 0 nor 1 is false.
        Ok(self.array::<1>()? == [1])
    }

    #[inline]
    pub(crate) fn i32(&mut self) -> Result<i32, DecodeError> {
        self.array().map(i32::from_be_bytes)
    }

    #[inline]
    pub(crate) fn i64(&mut self) -> Result<i64, DecodeError> {
        self.array().map(i64::from_be_bytes)
    }

    #[inline]
    pub(crate) fn double(&mut self) -> Result<f64, DecodeError> {
        self.array().map(f64::from_be_bytes)
    }

    #[inline]
    fn length(&mut self) -> Result<u32, DecodeError> {
        let word = self.i32()?;
        u32::try_from(word)
            .map_err(|_| DecodeError::Malformed { offset: self.at() - 4, what: "a length is negative" })
    }

    #[inline]
    pub(crate) fn string(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = self.length()? as usize;
        let (string, rest) = self.rest.split_at_checked(length).ok_or(DecodeError::Incomplete)?;
        self.rest = rest;
        Ok(string)
    }

    /// Type and id of the next field; `None` behind the struct's last one, whose stop byte is taken then.
    #[inline]
    pub(crate) fn field(&mut self) -> Result<Option<(Kind, i16)>, DecodeError> {
        let [code] = self.array()?;
        if code == STOP {
            return Ok(None);
        }
        let Some(kind) = Kind::from_code(code) else {
            return Err(DecodeError::Malformed { offset: self.at() - 1, what: "no such Thrift type" });
        };
        Ok(Some((kind, i16::from_be_bytes(self.array()?))))
    }

    /// The header of a map (two types), or of a list or set (one).
    #[inline]
    pub(crate) fn container<const TYPES: usize>(&mut self) -> Result<Container<TYPES>, DecodeError> {
        Ok(Container { types: self.array()?, count: self.length()? })
    }

    /// Passes over a value.
    pub(crate) fn skip(&mut self, kind: Kind) -> Result<(), DecodeError> {
        match scan::value_end(self.rest, kind, SKIP_DEPTH_MAX) {
            Ok(Some(end)) => {
                self.rest = &self.rest[end..];
                Ok(())
            }
            Ok(None) => Err(DecodeError::Incomplete),
            Err(Fault { at, what, .. }) => Err(DecodeError::Malformed { offset: self.at() + at, what }),
        }
    }
}
