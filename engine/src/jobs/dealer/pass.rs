//! One pass over an epoch.

use logtank_wire::record::write_normalized;

use super::outcome::Dealt;
use super::publish::Publisher;
use super::split::{REJECTED, Split, Stretch};
use crate::deletions::Deletions;
use crate::error::{Corruption, Result};
use crate::ids::{IndexCode, Position};
use crate::io::disk::{Disk, Transfer};
use crate::raw_log::read::frame::Record;
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

/// Where a record goes.
enum Fate<'r> {
    Index(&'r [u8]),
    /// To rejected/.
    Rejected,
    /// Nowhere: it says nothing.
    Empty,
    /// Nowhere: its index was deleted after it.
    Deleted,
}

/// What a pass met, whether it collected it or not.
#[derive(Default)]
struct Met {
    records: u64,
    rejected: u64,
    empty: u64,
    deleted: u64,
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
                met.records += 1;
                let target = match self.fate(&record) {
                    Fate::Index(code) => code,
                    Fate::Rejected => {
                        met.rejected += 1;
                        REJECTED
                    }
                    Fate::Empty => {
                        met.empty += 1;
                        continue;
                    }
                    Fate::Deleted => {
                        met.deleted += 1;
                        continue;
                    }
                };
                if !split.takes(target) {
                    continue;
                }
                split.add(target, |out| {
                    if target == REJECTED {
                        out.extend_from_slice(record.bytes);
                    } else {
                        let time = i64::try_from(record.time.0).unwrap_or(i64::MAX);
                        write_normalized(out, &record.view, time);
                    }
                });
                if let Some((target, part)) = split.spill() {
                    publisher.spill(&target, &part).await?;
                }
            }
        }
        // Before anything is published: what could not be read whole is not dealt.
        self.check_count(met.records)?;
        // Each pass meets every record, so the counts are those of the last one.
        (dealt.rejected_records, dealt.empty_records, dealt.deleted_records) =
            (met.rejected, met.empty, met.deleted);
        let (parts, following) = split.finish();
        publisher.publish(parts, &mut dealt.indexes).await?;
        Ok(following)
    }

    fn fate<'r>(&self, record: &Record<'r>) -> Fate<'r> {
        let view = &record.view;
        match (view.index_code, view.docid) {
            (_, None) if !view.has_content() => Fate::Empty,
            // Only what the original wrote can be so; shards refuse it. It stopped the original for ever.
            (None, _) | (_, None) => Fate::Rejected,
            (Some(code), Some(_)) if !IndexCode::is_valid(code) => Fate::Rejected,
            (Some(code), Some(_)) if self.deletions.covers(code, record.position) => Fate::Deleted,
            (Some(code), Some(_)) => Fate::Index(code),
        }
    }

    /// The writer's seals say how many positions the epoch has; if recovery found none of them missing, each
    /// is a record.
    fn check_count(&self, found: u64) -> Result<(), Corruption> {
        match (self.epoch.records_by_seal(), self.epoch.segments.first()) {
            (Some(sealed), Some(segment)) if self.epoch.lost.is_none() && u64::from(sealed) != found => {
                let what = format!(
                    "the epoch's seals tell of {sealed} records, its segments hold {found}: one may be missing"
                );
                Err(Corruption { path: segment.path.clone(), offset: 0, what })
            }
            _ => Ok(()),
        }
    }
}
