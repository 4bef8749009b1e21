//! `EPOCH.lost`: which positions of an epoch recovery found missing.
//!
//! ```text
//! FIRST COUNT     one line a gap: its first ordinal and how many, in decimal, ascending, not touching
//! end CRC32C      over all bytes before this line, in decimal
//! ```
//!
//! A file without gaps says that recovery has been over the epoch and could prove nothing missing.

use crate::ids::Epoch;

/// The gaps of an epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The epoch.
    pub epoch: Epoch,
    /// First ordinal and the one behind the last of each gap; ascending, not touching.
    pub gaps: Vec<(u32, u32)>,
}

impl Lost {
    /// How many records were lost.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.gaps.iter().map(|(first, end)| u64::from(end - first)).sum()
    }
}
