//! Reading ahead: while one page is being sent, the drive may read the next.
//!
//! What is read ahead is bytes of a segment, which never change; whether they are still what the recovery needs is
//! decided when the page is asked for, by all that is looked at for any page.

use std::ops::Range;

use crate::format::names::SegmentName;
use crate::ids::IndexCode;
use crate::index_log::segment_reader::RawRecords;

/// Records of a segment, read before they were asked for.
#[derive(Debug)]
pub struct Ahead {
    pub(super) code: IndexCode,
    pub(super) name: SegmentName,
    /// Their place in the segment.
    pub(super) bytes: Range<u64>,
    pub(super) records: RawRecords,
}

impl Ahead {
    /// Whether these are those bytes of that segment.
    pub(super) fn is_of(&self, code: &IndexCode, name: SegmentName, bytes: &Range<u64>) -> bool {
        self.code == *code && self.name == name && self.bytes == *bytes
    }
}
