//! What stands behind a hole though its segment is whole: a shard begins its next segment while the one before is
//! still on its way to the drive, and a power cut may take of that and leave what came later.

use std::collections::{BTreeMap, BTreeSet};

use crate::format::names::RawName;
use crate::format::raw::Header;
use crate::ids::{Epoch, ShardId};
use crate::mutant::{self, Mutant};
use crate::raw_log::gaps::Spans;
use crate::raw_log::live::LiveView;

/// What each shard's segments hold, as far as they were read.
pub(super) struct Chain {
    dealt_before: Epoch,
    /// Epochs and shards of which there is a segment.
    segments: BTreeSet<(Epoch, ShardId)>,
    /// Epochs that are being read, or were. In the others nothing is missing, or it was written down by an earlier start,
    /// and with it all that stood behind.
    read: BTreeSet<Epoch>,
    found: BTreeMap<(Epoch, ShardId), Spans>,
}

impl Chain {
    pub(super) fn new(view: &LiveView, dealt_before: Epoch) -> Self {
        let names = view.epochs.values().flat_map(|epoch| &epoch.segments).map(|segment| segment.name);
        let segments = names.filter_map(|name| match name {
            RawName::Segment { epoch, shard, .. } => Some((epoch, shard)),
            RawName::Legacy(_) | RawName::Lost(_) | RawName::Ready(_) => None,
        });
        Self { dealt_before, segments: segments.collect(), read: BTreeSet::new(), found: BTreeMap::new() }
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
    pub(super) fn is_broken_before(&self, header: &Header) -> bool {
        let Some(before) = header.follows else { return false };
        if before.epoch() < self.dealt_before || header.epoch < self.dealt_before {
            return false;
        }
        if mutant::active(Mutant::HoleBetweenSegments) {
            return false;
        }
        let key = (before.epoch(), header.shard);
        if !self.segments.contains(&key) {
            return true;
        }
        let found = || self.found.get(&key).is_some_and(|ordinals| ordinals.contains(before.ordinal()));
        self.read.contains(&before.epoch()) && !found()
    }
}
