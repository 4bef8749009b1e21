//! One pass over an epoch.

use super::fate::{Met, write_for};
use super::outcome::Dealt;
use super::publish::Publisher;
use super::split::{Split, Stretch};
use super::whole::check_count;
use crate::deletions::Deletions;
use crate::error::Result;
use crate::ids::Position;
use crate::io::disk::{Disk, Transfer};
use crate::raw_log::read::live::EpochView;
use crate::raw_log::read::merged::EpochScan;
use crate::store::Store;

/// One pass over an epoch.
#[derive(Debug)]
pub(super) struct Pass<'p, D> {
    pub(super) store: &'p Store<D>,
    pub(super) transfer: Transfer,
    pub(super) epoch: &'p EpochView,
    pub(super) deletions: &'p Deletions,
    pub(super) bytes_max: usize,
}

impl<D: Disk> Pass<'_, D> {
    /// Publishes what the targets in `stretch` get, as far as memory reaches; returns what is left to others.
    pub(super) async fn run(&self, stretch: Stretch, dealt: &mut Dealt) -> Result<Vec<Stretch>> {
        let epoch = self.epoch.epoch;
        let range = Position::new(epoch, 0)..Position::after(epoch);
        let mut scan = EpochScan::open(self.store.disk(), self.epoch, range, self.transfer).await?;
        let mut split = Split::new(stretch, self.bytes_max);
        let mut publisher = Publisher::new(self.store, epoch);
        let mut met = Met::default();
        while let Some(frame) = scan.next_frame().await? {
            for record in frame.records() {
                let record = record?;
                let Some(target) = met.target(&record, self.deletions) else { continue };
                if !split.takes(target) {
                    continue;
                }
                split.add(target, |out| write_for(target, &record, out));
                if let Some((target, part)) = split.spill() {
                    publisher.spill(&target, &part).await?;
                }
            }
        }
        // Before anything is published: what could not be read whole is not dealt.
        check_count(self.epoch, met.records)?;
        // Each pass meets every record, so the counts are those of the last one.
        (dealt.rejected_records, dealt.empty_records, dealt.deleted_records) =
            (met.rejected, met.empty, met.deleted);
        let (parts, following) = split.finish();
        publisher.publish(parts, &mut dealt.indexes).await?;
        Ok(following)
    }
}
