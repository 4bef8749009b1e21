//! What stands behind a hole though its segment is whole: a shard begins its next segment while the one before is
//! still on its way to the drive, and a power cut may take of that and leave what came later.
//!
//! A hole must be shown, not only be possible: where files are restored from a copy, or old ones were pruned, what came before a
//! whole segment may be missing, and that is no reason to give the segment up (decision page 12). A sealed segment stands
//! behind no hole that was not written down: its writer sealed it when all that came before it was durable, and
//! recovery when it had looked for one. An unsealed one may. Where the segment before it is there and lacks the frame
//! before, that frame was lost; where there is no such segment, it can only have been lost if a file is left
//! in which nothing is durable: the file of a segment is durable before anything is written to it.

use std::collections::{BTreeMap, BTreeSet};

use crate::format::names::RawName;
use crate::format::raw::Header;
use crate::ids::{Epoch, ShardId};
use crate::mutant::{bug, or_bug};
use crate::raw_log::read::gaps::Spans;
use crate::raw_log::read::live::{LiveView, SegmentState, SegmentView, by_recovery};

/// What each shard's segments hold, as far as they were read.
pub(super) struct Chain {
    dealt_before: Epoch,
    /// The segments there are, by epoch, shard and part; and whether one was left open, or cut by an earlier start: then its end
    /// may be lost.
    segments: BTreeMap<(Epoch, ShardId, u32), bool>,
    /// Whether there is a file that may have been a segment of which nothing is left.
    emptied: bool,
    /// Epochs that are being read, or were. In the others nothing is missing, or it was written down by an earlier start,
    /// and with it all that stood behind.
    read: BTreeSet<Epoch>,
    found: BTreeMap<(Epoch, ShardId), Spans>,
}

impl Chain {
    pub(super) fn new(view: &LiveView, dealt_before: Epoch) -> Self {
        let mut segments = BTreeMap::new();
        for segment in view.epochs.values().flat_map(|epoch| &epoch.segments) {
            let RawName::Segment { epoch, shard, part } = segment.name else { continue };
            let may_be_cut = match &segment.state {
                SegmentState::Open(_) => true,
                SegmentState::Sealed(_, seal) => by_recovery(seal),
                SegmentState::SealDamaged(..)
                | SegmentState::HeaderDamaged(_)
                | SegmentState::Legacy { .. } => false,
            };
            segments.insert((epoch, shard, part), may_be_cut);
        }
        let emptied = !view.ready.is_empty() || view.unusable.iter().any(|unusable| unusable.never_sealed);
        Self { dealt_before, segments, emptied, read: BTreeSet::new(), found: BTreeMap::new() }
    }

    /// The segments of this epoch are read from now on.
    pub(super) fn reads(&mut self, epoch: Epoch) {
        self.read.insert(epoch);
    }

    /// These ordinals are in a segment of the shard, or may be.
    pub(super) fn has(&mut self, epoch: Epoch, shard: ShardId, ordinals: &Spans) {
        self.found.entry((epoch, shard)).or_default().add_all(ordinals);
    }

    /// Whether the frame before those of this segment is lost. To be asked in the order of epochs and parts.
    pub(super) fn is_broken_before(&self, segment: &SegmentView) -> bool {
        let (header, sealed) = match &segment.state {
            SegmentState::Open(header) => (header, false),
            SegmentState::Sealed(header, _) | SegmentState::SealDamaged(header, _) => (header, true),
            SegmentState::Legacy { .. } | SegmentState::HeaderDamaged(_) => return false,
        };
        let Some(before) = header.follows else { return false };
        let dealt = before.epoch() < self.dealt_before || header.epoch < self.dealt_before;
        if or_bug!(HoleBetweenSegments, dealt, true) {
            return false;
        }
        let Some(cut) = self.part_before(header, before.epoch()) else {
            return bug!(GapTakenForHole) || !sealed && self.emptied;
        };
        let found = self.found.get(&(before.epoch(), header.shard));
        let found = || found.is_some_and(|ordinals| ordinals.contains(before.ordinal()));
        (!sealed || cut) && self.read.contains(&before.epoch()) && !found()
    }

    /// Whether the end of the shard's last segment before this one may be lost; `None` if it has none in that epoch. The segment
    /// itself and those behind it say nothing: the first parts of an epoch may have been pruned.
    fn part_before(&self, header: &Header, epoch: Epoch) -> Option<bool> {
        let here = (header.epoch, header.shard, header.part);
        let mut before = self.segments.range((epoch, header.shard, 0)..here);
        before.rfind(|((there, shard, _), _)| (*there, *shard) == (epoch, header.shard)).map(|(_, cut)| *cut)
    }
}
