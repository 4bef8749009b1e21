//! The one owner of the room on the raw log's drive: knows which segments shards have at hand, and what is promised to
//! dealing. Whether batches are taken and segments made is [`crate::room::gate`]'s to say.

use std::sync::Arc;

use crate::ids::ShardId;
use crate::io::disk::Space;
use crate::limits::Limits;
use crate::mutant::bug;
use crate::raw_log::write::config::WriterConfig;
use crate::room::gate::{Gate, Sight};
use crate::room::ledger::Ledger;
use crate::room::reserve::Reserve;

/// Where the indexes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Indexes {
    /// On the raw log's filesystem: dealing takes of the same room.
    Beside,
    /// On another one.
    Elsewhere,
}

/// Who wants room on the raw log's drive asks here, with the room as it is at that moment.
#[derive(Debug)]
pub(crate) struct RawRoom {
    gate: Gate,
    ledger: Arc<Ledger>,
    indexes: Indexes,
    shards: Vec<Stock>,
}

/// A shard's raw segments.
#[derive(Clone, Copy, Debug, Default)]
struct Stock {
    wanted: usize,
    at_hand: usize,
    /// It was given one, or there was none for somebody: it may append.
    served: bool,
    /// It was asked to give one back, and has said nothing of its segments since.
    asked_back: bool,
}

impl RawRoom {
    /// No shard has a segment yet.
    #[must_use]
    pub(crate) fn new(limits: &Limits, shards: usize, indexes: Indexes, ledger: Arc<Ledger>) -> Self {
        let batch_bytes = WriterConfig::new(ShardId(0), limits).frame_bytes_max() as u64;
        let reserve = Reserve::new(limits.free_bytes_min);
        if indexes == Indexes::Beside {
            ledger.share_drive();
        }
        let memory = limits.unsynced_bytes_max as u64;
        let filled = memory.div_ceil(limits.segment_roll_bytes).saturating_add(1);
        let memory_segments = usize::try_from(filled).expect("memory is addressed");
        let gate = Gate::new(reserve, limits.segment_file_bytes(), batch_bytes, memory_segments, shards);
        Self { gate, ledger, indexes, shards: vec![Stock::default(); shards] }
    }

    /// A shard wants so many segments more than it has at hand.
    pub(crate) fn wants(&mut self, shard: usize, missing: usize) {
        let stock = &mut self.shards[shard];
        stock.wanted += missing;
        stock.at_hand = stock.at_hand.saturating_sub(missing);
        stock.asked_back = false;
    }

    /// A shard was given a segment.
    ///
    /// # Panics
    /// If it wanted none: a bug.
    pub(crate) fn gave(&mut self, shard: usize) {
        let stock = &mut self.shards[shard];
        assert!(stock.wanted > 0, "it wanted one");
        stock.wanted -= 1;
        stock.at_hand += 1;
        stock.served = true;
    }

    /// Every shard may append, with a segment or without: there is none for one of them.
    pub(crate) fn serve_all(&mut self) {
        self.shards.iter_mut().for_each(|stock| stock.served = true);
    }

    /// Whether every shard may append.
    #[must_use]
    pub(crate) fn all_served(&self) -> bool {
        self.shards.iter().all(|stock| stock.served)
    }

    /// Whose turn it is to be given a segment: that of a shard that has none and never had, then of one that has none, then of
    /// who wants most.
    #[must_use]
    pub(crate) fn next(&self) -> Option<usize> {
        let wanting = (0..self.shards.len()).filter(|&shard| self.shards[shard].wanted > 0);
        wanting.max_by_key(|&shard| {
            let stock = &self.shards[shard];
            (!stock.served, stock.at_hand == 0, stock.wanted)
        })
    }

    /// The same, where these shards, of which the first comes first, need one more than all others.
    #[must_use]
    pub(crate) fn next_of(&self, needy: impl IntoIterator<Item = usize>) -> Option<usize> {
        let wanting = needy.into_iter().find(|&shard| self.shards[shard].wanted > 0);
        wanting.or_else(|| self.next())
    }

    /// There is no room for a segment for this shard. If it has none, and another one has several: who is to give one back.
    pub(crate) fn ask_back(&mut self, shard: usize) -> Option<usize> {
        if self.has_one(shard) || bug!(NothingAskedBack) {
            return None;
        }
        self.richest()
    }

    /// Batches are refused for want of room, and each shard has a segment: who is to give up one that it has besides.
    pub(crate) fn ask_for_besides(&mut self) -> Option<usize> {
        if self.is_open() || !self.all_have_one() { None } else { self.richest() }
    }

    fn richest(&mut self) -> Option<usize> {
        let rich = (0..self.shards.len()).filter(|&other| {
            let stock = &self.shards[other];
            stock.at_hand > 1 && !stock.asked_back
        });
        let richest = rich.max_by_key(|&other| self.shards[other].at_hand)?;
        self.shards[richest].asked_back = true;
        Some(richest)
    }

    /// Whether the shard has a segment at hand.
    #[must_use]
    pub(crate) fn has_one(&self, shard: usize) -> bool {
        self.shards[shard].at_hand > 0
    }

    /// Whether each shard has a segment at hand.
    #[must_use]
    pub(crate) fn all_have_one(&self) -> bool {
        self.shards.iter().all(|shard| shard.at_hand > 0)
    }

    /// Whether the shard may append: it was served.
    #[must_use]
    pub(crate) fn was_served(&self, shard: usize) -> bool {
        self.shards[shard].served
    }

    /// Looks at the room as it is now; whether it allows batches. They are taken only as far as what they hold can be dealt.
    pub(crate) fn look(&mut self, room: &Space) -> bool {
        let sight = self.sight(room);
        let open = self.gate.observe(&sight);
        self.allow(&sight);
        open
    }

    /// Whether the last look allowed batches.
    #[must_use]
    pub(crate) const fn is_open(&self) -> bool {
        self.gate.is_open()
    }

    /// Whether a segment for this shard may be made, by the last look and the room as it is now.
    #[must_use]
    pub(crate) fn admits(&self, shard: usize, room: &Space) -> bool {
        self.gate.admits_segment(&self.sight(room), !self.has_one(shard))
    }

    /// A segment is about to be made, whoever admitted it: its room is no one else's, also as long as statfs shows it free. To
    /// be followed by [`Self::look`].
    pub(crate) fn begins(&self, room: &Space) {
        self.allow(&self.gate.beside_one(&self.sight(room)));
    }

    fn allow(&self, sight: &Sight) {
        self.ledger.allow(self.gate.allowance(sight));
        self.ledger.keep_to_segments(!self.gate.is_roomy(sight));
    }

    /// The room can't be found out: batches are taken as before, as far as there are segments.
    pub(crate) fn blind(&self) {
        self.ledger.allow(None);
        self.ledger.keep_to_segments(true);
    }

    /// What must be free for batches to be taken, in bytes: without end where they are, for the first time where not.
    #[must_use]
    pub(crate) fn bytes_min(&self, room: &Space) -> u64 {
        self.gate.bytes_min(&self.sight(room))
    }

    fn sight(&self, room: &Space) -> Sight {
        let beside = self.indexes == Indexes::Beside && !bug!(PromiseForgotten);
        Sight {
            room: *room,
            promised: beside.then(|| self.ledger.promised()),
            at_hand: self.shards.iter().map(|stock| stock.at_hand).sum(),
            without: self.shards.iter().filter(|stock| stock.at_hand == 0).count(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space(available_bytes: u64) -> Space {
        Space { total_bytes: u64::MAX, available_bytes, total_files: 0, available_files: u64::MAX }
    }

    fn raw_room(shards: usize, indexes: Indexes) -> (RawRoom, Arc<Ledger>, u64) {
        let (limits, ledger) = (Limits::default(), Arc::<Ledger>::default());
        let raw_room = RawRoom::new(&limits, shards, indexes, ledger.clone());
        (raw_room, ledger, limits.segment_file_bytes())
    }

    #[test]
    fn who_never_had_a_segment_comes_first_then_who_wants_most() {
        let (mut room, ..) = raw_room(3, Indexes::Beside);
        assert_eq!(room.next(), None);
        (0..3).for_each(|shard| room.wants(shard, 2));
        let mut order = Vec::new();
        while let Some(shard) = room.next() {
            order.push(shard);
            room.gave(shard);
        }
        assert_eq!(order, [2, 1, 0, 2, 1, 0]);
        room.wants(1, 1);
        assert!(room.has_one(1) && room.next() == Some(1));
        room.wants(1, 1);
        assert!(!room.has_one(1) && room.was_served(1));
    }

    #[test]
    fn who_has_several_gives_one_back_to_who_has_none() {
        let (mut room, ..) = raw_room(3, Indexes::Beside);
        (0..3).for_each(|shard| room.wants(shard, 2));
        [0, 1, 1, 2].into_iter().for_each(|shard| room.gave(shard));
        assert_eq!(room.ask_back(0), None, "it has one");
        room.wants(0, 1);
        assert_eq!(room.next(), Some(0), "it has none");
        assert_eq!(room.ask_back(0), Some(1));
        assert_eq!(room.ask_back(0), None, "it was asked, and the third has only one");
        // It gave one back, and wants it again.
        room.wants(1, 1);
        room.gave(0);
        assert!(room.has_one(0) && room.has_one(1));
        room.wants(0, 1);
        assert_eq!(room.ask_back(0), None, "nobody has several");
    }

    #[test]
    fn what_is_at_hand_besides_one_is_asked_for_while_batches_are_refused() {
        let (mut room, ..) = raw_room(2, Indexes::Beside);
        (0..2).for_each(|shard| room.wants(shard, 2));
        [0, 0, 1].into_iter().for_each(|shard| room.gave(shard));
        assert!(room.look(&space(u64::MAX)));
        assert_eq!(room.ask_for_besides(), None, "batches are taken");
        assert!(!room.look(&space(Limits::default().free_bytes_min)));
        assert_eq!(room.ask_for_besides(), Some(0));
        assert_eq!(room.ask_for_besides(), None, "it was asked, and the other one has only one");
        room.wants(0, 2);
        assert_eq!(room.ask_for_besides(), None, "the first one lacks what would be given up");
    }

    #[test]
    fn a_segment_that_is_being_made_is_nobody_elses_room() {
        let (mut room, ledger, segment_bytes) = raw_room(1, Indexes::Beside);
        let free = space(Limits::default().free_bytes_min + segment_bytes + (40 << 20));
        room.wants(0, 2);
        assert!(room.look(&free) && room.admits(0, &free));
        let bytes = 60 << 20;
        assert!(ledger.admits(bytes));
        room.begins(&free);
        assert!(!ledger.admits(bytes) && ledger.admits(bytes / 2));
        room.gave(0);
        let less = space(free.available_bytes - segment_bytes);
        assert!(room.look(&less) && !room.admits(0, &less), "the second would take what batches leave");
        assert!(!ledger.admits(bytes) && ledger.admits(bytes / 2));
    }

    #[test]
    fn indexes_elsewhere_take_nothing() {
        let (mut room, ledger, segment_bytes) = raw_room(1, Indexes::Elsewhere);
        ledger.publish(0, 1 << 40, 0);
        room.wants(0, 2);
        let free = space(Limits::default().free_bytes_min + segment_bytes);
        assert!(room.look(&free) && room.admits(0, &free) && ledger.admits(1 << 40));
    }
}
