//! How far the raw log reaches on disk.

use std::collections::BTreeMap;

use super::live::{EpochView, LiveView, SegmentState};
use super::scan::{ScanPoint, SegmentScan};
use crate::error::{Error, Result};
use crate::format::names::RawName;
use crate::format::raw::Salt;
use crate::ids::{Epoch, Position};
use crate::io::disk::{Disk, Transfer};

/// Remembers how far each open segment was read, so that asking again costs only what is new. Forgetting it
/// costs time, nothing else.
#[derive(Debug, Default)]
pub struct Tails {
    // What stands before such a point never changes while the segment has this salt.
    points: BTreeMap<RawName, (Option<Salt>, ScanPoint)>,
}

impl Tails {
    /// Nothing read yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A position that every record on disk lies before, and at or behind which every record will lie that is
    /// received from now on: the beginning of the next epoch if the greatest epoch in `view` is closed,
    /// otherwise just past the greatest record on disk. `None` if `raw/live/` holds no epoch.
    ///
    /// # Errors
    /// The disk's (a file that has vanished: look again).
    pub async fn next_position<D: Disk>(&mut self, disk: &D, view: &LiveView) -> Result<Option<Position>> {
        let Some((_, epoch)) = view.epochs.last_key_value() else { return Ok(None) };
        if epoch.is_closed() || view.is_complete(epoch.epoch) {
            self.points.clear();
            return Ok(Some(beginning_after(epoch.epoch)));
        }
        self.points.retain(|name, _| epoch.segments.iter().any(|segment| segment.name == *name));
        self.open_end(disk, epoch).await.map(Some)
    }

    async fn open_end<D: Disk>(&mut self, disk: &D, epoch: &EpochView) -> Result<Position> {
        let mut greatest = Position::new(epoch.epoch, 0);
        for segment in &epoch.segments {
            if matches!(segment.state, SegmentState::HeaderDamaged(_)) {
                continue;
            }
            let mut scan = SegmentScan::open(disk, &segment.path, Transfer::Cached).await?;
            let salt = scan.header().map(|header| header.salt);
            if let Some((_, point)) = self.points.get(&segment.name).filter(|(known, _)| *known == salt) {
                scan.seek(*point)?;
            }
            loop {
                match scan.advance().await {
                    Ok(true) => {}
                    Ok(false) => break,
                    // Only how far it reaches matters here; whoever reads the records will report it.
                    Err(Error::Corrupt(_)) => {
                        scan.skip_damage().await?;
                    }
                    Err(error) => return Err(error),
                }
            }
            greatest = greatest.max(scan.point().least);
            self.points.insert(segment.name, (salt, scan.point()));
        }
        Ok(greatest)
    }
}

/// The first position behind all of `epoch`.
///
/// # Panics
/// If epochs are exhausted (the year 2109).
#[must_use]
pub fn beginning_after(epoch: Epoch) -> Position {
    Position::new(Epoch::new(epoch.millis() + 1).expect("epochs are exhausted"), 0)
}
