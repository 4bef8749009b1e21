//! What of reading can be set.

use std::time::Duration;

use crate::limits;

/// Bounds of one page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadOptions {
    /// Bytes of records, unless the first alone is longer.
    pub page_bytes_max: usize,
    /// A page that is not full by then is answered as it is, if that is any further than the one before.
    pub page_time_max: Duration,
    /// How long a page waits for records of the raw log that are on their way to the drive while later ones are
    /// there already. Past it they count as lost.
    pub gap_time_max: Duration,
    /// An older token is refused. Less than a day: so long the index's deletion is remembered.
    pub token_age_max: Duration,
    /// A number that is another one each time the machine starts. What was read of the raw log may not have been durable
    /// yet, so that a power cut took it back: a recovery that had come so far can't go on then.
    pub boot: u64,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            page_bytes_max: limits::PAGE_BYTES_MAX,
            page_time_max: Duration::from_secs(1),
            gap_time_max: Duration::from_millis(250),
            token_age_max: Duration::from_secs(12 * 3600),
            boot: 0,
        }
    }
}
