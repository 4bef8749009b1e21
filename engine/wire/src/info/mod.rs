//! What the manager answers: `SegmentInfo`, `RawLogInfo`, `IndexLogInfo`, `QueueScore`.

mod read;
mod write;

/// A segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SegmentInfo {
    /// Field 1: the time in its name, ms.
    pub timestamp: i64,
    /// Field 2.
    pub end_timestamp: i64,
    /// Field 3: bytes of whole records.
    pub valid_length: i64,
    /// Field 4: bytes in all.
    pub actual_length: i64,
    /// Field 5.
    pub record_count: i32,
    /// Field 6.
    pub sorted: bool,
}

/// The raw log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawLogInfo {
    /// Field 1; left out when there is none, as the original does.
    pub undealt_segments: Vec<SegmentInfo>,
    /// Field 2.
    pub dealer_next_timestamp: i64,
}

/// An index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IndexLogInfo {
    /// Field 1; lists that are empty are left out, as the original does.
    pub optimized_segments: Vec<SegmentInfo>,
    /// Field 2.
    pub sorted_segments: Vec<SegmentInfo>,
    /// Field 3.
    pub unsorted_segments: Vec<SegmentInfo>,
    /// Field 4.
    pub optimized_record_count: i64,
    /// Field 5.
    pub unoptimized_record_count: i64,
    /// Field 6.
    pub unoptimized_segments: i32,
    /// Field 7.
    pub last_optimization_timestamp: i64,
}

/// Urgency of an index that waits for optimization.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct QueueScore {
    /// Field 1: lower goes first.
    pub priority: i32,
    /// Field 2: among equals, higher goes first.
    pub score: f64,
}
