//! Values to bytes, appended to a buffer.

use crate::kind::{Kind, STOP};

#[inline]
pub(crate) fn field(out: &mut Vec<u8>, kind: Kind, id: i16) {
    let [high, low] = id.to_be_bytes();
    out.extend_from_slice(&[kind.code(), high, low]);
}

#[inline]
pub(crate) fn stop(out: &mut Vec<u8>) {
    out.push(STOP);
}

#[inline]
pub(crate) fn i32(out: &mut Vec<u8>, value: i32) {
    out.extend_from_slice(&value.to_be_bytes());
}

#[inline]
pub(crate) fn i64(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(&value.to_be_bytes());
}

#[inline]
pub(crate) fn double(out: &mut Vec<u8>, value: f64) {
    out.extend_from_slice(&value.to_be_bytes());
}

/// A length or count.
///
/// # Panics
/// If it is 2^31 or more: every message and record is bounded far below.
#[inline]
pub(crate) fn length(out: &mut Vec<u8>, length: usize) {
    i32(out, i32::try_from(length).expect("lengths are bounded far below 2^31"));
}

#[inline]
pub(crate) fn string(out: &mut Vec<u8>, value: &[u8]) {
    length(out, value.len());
    out.extend_from_slice(value);
}

#[inline]
pub(crate) fn list(out: &mut Vec<u8>, kind: Kind, count: usize) {
    out.push(kind.code());
    length(out, count);
}

#[inline]
pub(crate) fn map(out: &mut Vec<u8>, key: Kind, value: Kind, count: usize) {
    out.extend_from_slice(&[key.code(), value.code()]);
    length(out, count);
}

/// Writes a length or count over the four bytes at `at`.
///
/// # Panics
/// As [`length`].
pub(crate) fn length_at(out: &mut [u8], at: usize, length: usize) {
    let length = i32::try_from(length).expect("lengths are bounded far below 2^31");
    out[at..at + 4].copy_from_slice(&length.to_be_bytes());
}
