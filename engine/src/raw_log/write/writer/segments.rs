//! The segments that a stream has in use, in order of their frames.

use std::collections::VecDeque;

use crate::format::raw::Header;
use crate::ids::Epoch;
use crate::raw_log::write::segment::{Due, ReadySegment, Segment};
use crate::time::MonoNanos;

/// Only the last one can be open.
#[derive(Debug, Default)]
pub(super) struct Segments {
    list: VecDeque<Segment>,
    /// How many there were ever: the id of the next one.
    ever: u64,
}

impl Segments {
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// The one that takes frames.
    pub(super) fn open(&self) -> Option<&Segment> {
        self.list.back().filter(|segment| segment.is_open())
    }

    /// The one that takes frames.
    pub(super) fn open_mut(&mut self) -> Option<&mut Segment> {
        self.list.back_mut().filter(|segment| segment.is_open())
    }

    /// The open one takes no more frames.
    pub(super) fn close_open(&mut self) {
        if let Some(open) = self.open_mut() {
            open.close();
        }
    }

    /// The one with this id.
    ///
    /// # Panics
    /// If it is gone.
    pub(super) fn by_id(&mut self, id: u64) -> &mut Segment {
        let found = self.list.iter_mut().find(|segment| segment.id() == id);
        found.expect("a segment outlives its operations")
    }

    /// The one at this place.
    pub(super) fn at(&mut self, place: usize) -> &mut Segment {
        &mut self.list[place]
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Segment> {
        self.list.iter()
    }

    /// Adds one at `place` whose header is being written; returns its id.
    pub(super) fn insert(
        &mut self,
        place: usize,
        ready: &ReadySegment,
        header: Header,
        opened: MonoNanos,
    ) -> u64 {
        let id = self.ever;
        self.ever += 1;
        self.list.insert(place, Segment::new(id, ready, header, opened));
        id
    }

    /// The epoch of the oldest one.
    pub(super) fn oldest_epoch(&self) -> Option<Epoch> {
        self.iter().map(Segment::epoch).min()
    }

    /// Number of the first frame that is not synced.
    pub(super) fn first_unsynced(&self) -> Option<u64> {
        self.iter().find_map(Segment::first_unsynced)
    }

    /// Number of the first frame that is not written.
    pub(super) fn first_unwritten(&self) -> Option<u64> {
        self.iter().find_map(Segment::first_unwritten)
    }

    /// When the oldest frame that is written and not synced was written.
    pub(super) fn oldest_unsynced(&self) -> Option<MonoNanos> {
        self.iter().filter_map(Segment::oldest_unsynced).min()
    }

    /// The same among the segments that an fdatasync may begin on.
    pub(super) fn oldest_to_sync(&self) -> Option<MonoNanos> {
        self.iter().filter(|segment| segment.may_sync()).filter_map(Segment::oldest_unsynced).min()
    }

    /// Whether frames of one wait to be written elsewhere.
    pub(super) fn has_failed(&self) -> bool {
        self.iter().any(Segment::has_failed)
    }

    /// Place of the first that failed and that the kernel has nothing to do with.
    pub(super) fn first_to_rescue(&self) -> Option<usize> {
        self.iter().position(|segment| segment.has_failed() && segment.is_at_rest())
    }

    /// Moves the un-synced frames of the failed segment at `place` to the fresh one after it.
    pub(super) fn rescue(&mut self, place: usize) {
        let mut after = self.list.range_mut(place..);
        let (failed, fresh) = (after.next().expect("it failed"), after.next().expect("it was inserted"));
        fresh.take_over(failed);
        // Only the last segment can take more; where its epoch is closed it is about to close anyway.
        if place + 2 < self.list.len() {
            self.list[place + 1].close();
        }
    }

    /// What the one at `place` waits for, where all frames below `synced` are synced and `epoch` is open.
    pub(super) fn due(&self, place: usize, synced: u64, epoch: Epoch) -> Due {
        let follows_unsynced = self.iter().take(place).any(Segment::has_unsynced);
        self.list[place].due(synced, follows_unsynced, epoch)
    }

    /// One that is given up comes out, where all frames below `synced` are synced.
    pub(super) fn take_abandoned(&mut self, synced: u64) -> Option<Segment> {
        let place = self.iter().position(|segment| segment.is_abandoned(synced))?;
        self.list.remove(place)
    }

    /// The one with this id, which is sealed, comes out.
    ///
    /// # Panics
    /// If it is not complete.
    pub(super) fn take_sealed(&mut self, id: u64) -> Segment {
        let place = self.iter().position(|segment| segment.id() == id).expect("it was being sealed");
        let segment = self.list.remove(place).expect("just found");
        assert!(!segment.has_unsynced() && segment.is_at_rest(), "a sealed segment is complete");
        segment
    }
}
