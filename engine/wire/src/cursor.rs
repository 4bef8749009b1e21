//! Reads values one after the other from bytes that are all there.

use crate::decode_error::DecodeError;
use crate::kind::{Kind, STOP};
use crate::scan::{self, Fault};

/// Nesting up to which values that nobody asked for are skipped.
const SKIP_DEPTH_MAX: usize = 64;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// Types and count in front of a container's values. Types are codes, because an empty container may have any.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Container<const TYPES: usize> {
    pub(crate) types: [u8; TYPES],
    pub(crate) count: u32,
}

impl<'a> Cursor<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    #[inline]
    pub(crate) const fn at(&self) -> usize {
        self.at
    }

    /// What was read since `from`.
    #[inline]
    pub(crate) fn since(&self, from: usize) -> &'a [u8] {
        &self.bytes[from..self.at]
    }

    #[inline]
    pub(crate) fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    pub(crate) const fn malformed(&self, what: &'static str) -> DecodeError {
        DecodeError::Malformed { offset: self.at, what }
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let array = self.rest().first_chunk().ok_or(DecodeError::Incomplete)?;
        self.at += N;
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
            .map_err(|_| DecodeError::Malformed { offset: self.at - 4, what: "a length is negative" })
    }

    #[inline]
    pub(crate) fn string(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = self.length()? as usize;
        let string = self.rest().get(..length).ok_or(DecodeError::Incomplete)?;
        self.at += length;
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
            return Err(DecodeError::Malformed { offset: self.at - 1, what: "no such Thrift type" });
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
        match scan::value_end(self.bytes, self.at, kind, SKIP_DEPTH_MAX) {
            Ok(Some(end)) => {
                self.at = end;
                Ok(())
            }
            Ok(None) => Err(DecodeError::Incomplete),
            Err(Fault { at, what, .. }) => Err(DecodeError::Malformed { offset: at, what }),
        }
    }
}
