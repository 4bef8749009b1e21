//! What there is of each epoch, as the files say that were read, and what is missing of them together.

use std::collections::{BTreeMap, BTreeSet};

use super::Gap;
use crate::format::raw::{Header, Seal};
use crate::ids::Epoch;
use crate::raw_log::read::live::{by_recovery, followed};
use crate::raw_log::read::lost::Lost;
use crate::raw_log::read::missing::stretches;

/// What there is of each epoch.
#[derive(Debug, Default)]
pub(super) struct Presence {
    epochs: BTreeMap<Epoch, There>,
    /// Epochs that sealed segments say there were before them.
    followed: BTreeSet<Epoch>,
}

#[derive(Debug, Default)]
struct There {
    segments: bool,
    records: u64,
    /// Positions that were handed out, if a seal tells.
    handed_out: Option<u32>,
    /// Nothing can be said of what is missing: a segment is not sealed, or damaged.
    unknown: bool,
    /// Recovery has been over it, and wrote down so many records as lost, if any.
    reported: Option<u64>,
}

impl Presence {
    fn epoch(&mut self, epoch: Epoch) -> &mut There {
        self.epochs.entry(epoch).or_default()
    }

    /// A segment of the original. Each of them begins as an empty file, in which nothing was ever received.
    pub(super) fn legacy(&mut self, epoch: Epoch, empty: bool) {
        let there = self.epoch(epoch);
        (there.segments, there.unknown) = (!empty, true);
    }

    pub(super) fn lost(&mut self, lost: &Lost) {
        self.epoch(lost.epoch).reported = Some(lost.records());
    }

    pub(super) fn unknown(&mut self, epoch: Epoch) {
        let there = self.epoch(epoch);
        (there.segments, there.unknown) = (true, true);
    }

    pub(super) fn sealed(&mut self, header: &Header, seal: &Seal) {
        self.followed.extend(followed(header, seal));
        let there = self.epoch(header.epoch);
        there.segments = true;
        there.records += seal.records;
        there.handed_out = there.handed_out.max(seal.epoch_records);
        // What is missing then is in the .lost file, or was at the very end.
        there.unknown |= by_recovery(seal);
    }

    pub(super) fn add(&mut self, other: Self) {
        self.followed.extend(other.followed);
        for (epoch, more) in other.epochs {
            let there = self.epoch(epoch);
            there.segments |= more.segments;
            there.records += more.records;
            there.handed_out = there.handed_out.max(more.handed_out);
            there.unknown |= more.unknown;
            there.reported = there.reported.max(more.reported);
        }
    }

    /// What is missing and not written down, and what is. Before `checkpoint` everything is dealt: there the oldest may have
    /// been pruned, in the middle of an epoch too. From it on things are missing only where it is `quiet`: nobody has
    /// anything under way.
    pub(super) fn gaps(self, checkpoint: Epoch, quiet: bool) -> (Vec<Gap>, Vec<Gap>) {
        let there: BTreeSet<Epoch> =
            self.epochs.iter().filter(|(_, epoch)| epoch.segments).map(|(epoch, _)| *epoch).collect();
        let written_down: BTreeSet<Epoch> = self
            .epochs
            .iter()
            .filter(|(_, epoch)| epoch.reported.is_some())
            .map(|(epoch, _)| *epoch)
            .collect();
        let counts = |epoch: &Epoch| {
            if *epoch < checkpoint { there.first().is_some_and(|oldest| oldest < epoch) } else { quiet }
        };
        let unknown = self.followed.iter().filter(|epoch| !self.epochs.contains_key(epoch) && counts(epoch));
        let mut gaps: Vec<_> =
            stretches(&there, &unknown.copied().collect()).into_iter().map(Gap::Epochs).collect();
        let mut reported: Vec<_> = stretches(&there, &written_down).into_iter().map(Gap::Epochs).collect();
        for (epoch, found) in self.epochs {
            let handed_out = u64::from(found.handed_out.unwrap_or(0));
            match found.reported {
                Some(records) if records > 0 => reported.push(Gap::Positions { epoch, records }),
                None if !found.unknown && found.records < handed_out && counts(&epoch) => {
                    gaps.push(Gap::Positions { epoch, records: handed_out - found.records });
                }
                Some(_) | None => {}
            }
        }
        (gaps, reported)
    }
}
