//! What a merge has read.

/// What a merge reads, each piece as often as its passes read it from the segments that it merges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MergeCounts {
    /// Records read.
    pub records_in: u64,
    /// Bytes read.
    pub bytes_in: u64,
}

impl MergeCounts {
    /// Counts one record of `bytes`.
    pub(super) fn add(&mut self, bytes: usize) {
        self.records_in += 1;
        self.bytes_in += bytes as u64;
    }
}
