//! How background work goes about it.

use std::time::Duration;

use crate::io::disk::Transfer;
use crate::limits::{HISTORY_AGE_MAX, HISTORY_BYTES_MAX, SORT_SEGMENTS_MAX, UNREAD_BEFORE_CLEAN};

/// How background work goes about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobsConfig {
    /// Superseded segments of an index are removed when nobody has read it for this long.
    pub unread_before_clean: Duration,
    /// Files of raw/history/ older than this are given up.
    pub history_age_max: Option<Duration>,
    /// Of raw/history/, the oldest files beyond this many bytes are given up.
    pub history_bytes_max: Option<u64>,
    /// Raw segments kept for recycling when they are given up.
    pub spares_max: usize,
    /// How raw segments are read when they are dealt.
    pub raw_transfer: Transfer,
    /// An index with more unsorted segments than this is sorted.
    pub sort_segments_max: usize,
}

impl JobsConfig {
    /// As by default, but that raw/history/ is kept whole: for what deals once and ends.
    #[must_use]
    pub fn keeping_history() -> Self {
        Self { history_age_max: None, history_bytes_max: None, ..Self::default() }
    }
}

impl Default for JobsConfig {
    fn default() -> Self {
        Self {
            unread_before_clean: UNREAD_BEFORE_CLEAN,
            history_age_max: Some(HISTORY_AGE_MAX),
            history_bytes_max: Some(HISTORY_BYTES_MAX),
            spares_max: 4,
            raw_transfer: Transfer::Direct,
            sort_segments_max: SORT_SEGMENTS_MAX,
        }
    }
}
