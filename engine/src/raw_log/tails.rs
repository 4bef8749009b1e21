//! How far the raw log reaches on disk.

use super::live::LiveView;
use crate::error::Result;
use crate::ids::Position;
use crate::io::disk::Disk;

/// Remembers how far each open segment was read, so that asking again costs only what is new. Forgetting it
/// costs time, nothing else.
#[derive(Debug, Default)]
pub struct Tails {}

impl Tails {
    /// Nothing read yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The position that every record on disk lies before, and every record sent after this call at or behind:
    /// the beginning of the next epoch if the greatest epoch in `view` is complete, otherwise just past the
    /// greatest record on disk. `None` if `raw/live/` holds no epoch.
    ///
    /// # Errors
    /// The disk's (a file that has vanished: look again); corruption in a sealed segment.
    pub async fn next_position<D: Disk>(&mut self, _disk: &D, _view: &LiveView) -> Result<Option<Position>> {
        unimplemented!("contract only")
    }
}
