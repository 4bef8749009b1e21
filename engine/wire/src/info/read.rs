//! Bytes to infos. What is absent counts as 0, false or empty.

use super::{IndexLogInfo, QueueScore, RawLogInfo, SegmentInfo};
use crate::cursor::{Container, Cursor};
use crate::decode_error::DecodeError;
use crate::kind::Kind;

impl SegmentInfo {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, DecodeError> {
        let mut segment = Self::default();
        while let Some(field) = cursor.field()? {
            match field {
                (Kind::I64, 1) => segment.timestamp = cursor.i64()?,
                (Kind::I64, 2) => segment.end_timestamp = cursor.i64()?,
                (Kind::I64, 3) => segment.valid_length = cursor.i64()?,
                (Kind::I64, 4) => segment.actual_length = cursor.i64()?,
                (Kind::I32, 5) => segment.record_count = cursor.i32()?,
                (Kind::Bool, 6) => segment.sorted = cursor.bool()?,
                (kind, _) => cursor.skip(kind)?,
            }
        }
        Ok(segment)
    }

    fn read_list(cursor: &mut Cursor<'_>) -> Result<Vec<Self>, DecodeError> {
        let Container { types: [code], count } = cursor.container()?;
        if count > 0 && code != Kind::Struct.code() {
            return Err(cursor.malformed("a list of segments has elements that are no structs"));
        }
        // Not `with_capacity`: the count is only a claim.
        let mut segments = Vec::new();
        for _ in 0..count {
            segments.push(Self::read(cursor)?);
        }
        Ok(segments)
    }
}

impl RawLogInfo {
    pub(crate) fn read(cursor: &mut Cursor<'_>) -> Result<Self, DecodeError> {
        let mut info = Self::default();
        while let Some(field) = cursor.field()? {
            match field {
                (Kind::List, 1) => info.undealt_segments = SegmentInfo::read_list(cursor)?,
                (Kind::I64, 2) => info.dealer_next_timestamp = cursor.i64()?,
                (kind, _) => cursor.skip(kind)?,
            }
        }
        Ok(info)
    }
}

impl IndexLogInfo {
    pub(crate) fn read(cursor: &mut Cursor<'_>) -> Result<Self, DecodeError> {
        let mut info = Self::default();
        while let Some(field) = cursor.field()? {
            match field {
                (Kind::List, 1) => info.optimized_segments = SegmentInfo::read_list(cursor)?,
                (Kind::List, 2) => info.sorted_segments = SegmentInfo::read_list(cursor)?,
                (Kind::List, 3) => info.unsorted_segments = SegmentInfo::read_list(cursor)?,
                (Kind::I64, 4) => info.optimized_record_count = cursor.i64()?,
                (Kind::I64, 5) => info.unoptimized_record_count = cursor.i64()?,
                (Kind::I32, 6) => info.unoptimized_segments = cursor.i32()?,
                (Kind::I64, 7) => info.last_optimization_timestamp = cursor.i64()?,
                (kind, _) => cursor.skip(kind)?,
            }
        }
        Ok(info)
    }
}

impl QueueScore {
    pub(crate) fn read(cursor: &mut Cursor<'_>) -> Result<Self, DecodeError> {
        let mut score = Self::default();
        while let Some(field) = cursor.field()? {
            match field {
                (Kind::I32, 1) => score.priority = cursor.i32()?,
                (Kind::Double, 2) => score.score = cursor.double()?,
                (kind, _) => cursor.skip(kind)?,
            }
        }
        Ok(score)
    }
}
