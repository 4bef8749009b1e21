//! What is promised of the drive that has the indexes: to dealing, which will take as much again as what was received, and to
//! jobs under way.
//!
//! Each shard writes down what it took and what of it is sealed; whoever deals writes down what it saw wait. A segment that
//! is sealed between the two is counted twice for a moment, never not at all.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::reserve::Reserve;
use crate::io::disk::Space;
use crate::limits::SHARDS_MAX;
use crate::mutant::bug;

/// A sidecar is shorter than this part of what it covers.
const SIDECAR_PART: u64 = 16;

/// What dealing so many bytes of raw segments takes of the drive: as many at most, and their checksums.
#[must_use]
pub const fn to_deal(bytes: u64) -> u64 {
    bytes.saturating_add(bytes / SIDECAR_PART)
}

/// So many bytes can be dealt with this much room.
#[must_use]
pub(crate) const fn dealt_with(room: u64) -> u64 {
    room / (SIDECAR_PART + 1) * SIDECAR_PART
}

/// What is received and not dealt, and where receiving ends for now.
#[derive(Debug)]
pub struct Ledger {
    shards: [Share; SHARDS_MAX as usize],
    /// No batch is taken that would let all shards' `taken` exceed this; `u64::MAX`: there is room for all that the segments
    /// at hand can hold.
    bound: AtomicU64,
    /// No batch is taken that might need another segment than those at hand.
    keeps_to_segments: AtomicBool,
    /// What is received takes of the same drive as jobs.
    is_shared: AtomicBool,
    seen: Mutex<Seen>,
    /// What jobs under way have been promised and have not taken yet.
    jobs: AtomicU64,
}

/// Written by one shard alone, in a cache line of its own.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Share {
    /// Bytes in raw segments since the process began, with what is still in memory.
    taken: AtomicU64,
    /// Those of segments that are sealed.
    sealed: AtomicU64,
}

/// The last look at what waits in sealed segments.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    /// What all shards had sealed when it began.
    sealed: u64,
    /// What dealing that takes.
    needed: u64,
    /// What the next epoch takes besides what is in it.
    epoch: u64,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            shards: std::array::from_fn(|_| Share::default()),
            bound: AtomicU64::new(u64::MAX),
            keeps_to_segments: AtomicBool::new(false),
            is_shared: AtomicBool::new(false),
            seen: Mutex::default(),
            jobs: AtomicU64::new(0),
        }
    }
}

impl Ledger {
    /// A shard says what it has taken so far, and how much of that is sealed.
    ///
    /// # Panics
    /// If more is sealed than was taken: a bug.
    pub fn publish(&self, shard: usize, taken: u64, sealed: u64) {
        assert!(sealed <= taken, "only what was taken is sealed");
        let share = &self.shards[shard];
        share.sealed.store(sealed, Ordering::Release);
        share.taken.store(taken, Ordering::Release);
    }

    /// A shard takes so much more, which [`Self::publish`] will say more exactly.
    pub fn take(&self, shard: usize, bytes: u64) {
        let taken = &self.shards[shard].taken;
        taken.store(taken.load(Ordering::Relaxed).saturating_add(bytes), Ordering::Release);
    }

    /// Whether so many bytes more may be received.
    #[must_use]
    pub fn admits(&self, bytes: u64) -> bool {
        let bound = self.bound.load(Ordering::Acquire);
        bound == u64::MAX || self.taken().saturating_add(bytes) <= bound
    }

    /// So many bytes may be received from now on; `None`: all that the segments at hand can hold.
    pub fn allow(&self, bytes: Option<u64>) {
        let bound = bytes.map_or(u64::MAX, |bytes| self.taken().saturating_add(bytes));
        self.bound.store(bound, Ordering::Release);
    }

    /// Whether shards are to take only batches that have a place in the segments at hand: there may be no room for others.
    pub fn keep_to_segments(&self, keep: bool) {
        self.keeps_to_segments.store(keep, Ordering::Release);
    }

    /// Whether a batch needs a place in a segment at hand to be taken.
    #[must_use]
    pub fn keeps_to_segments(&self) -> bool {
        self.keeps_to_segments.load(Ordering::Acquire)
    }

    fn taken(&self) -> u64 {
        self.shards.iter().map(|share| share.taken.load(Ordering::Acquire)).sum()
    }

    /// What all shards have sealed: to be asked before a look at what waits begins.
    #[must_use]
    pub fn sealed(&self) -> u64 {
        self.shards.iter().map(|share| share.sealed.load(Ordering::Acquire)).sum()
    }

    /// A look at sealed segments, begun when so much was `sealed`, saw what takes `needed` bytes to deal. An epoch that follows
    /// takes `epoch` bytes besides what is in it.
    pub fn saw(&self, sealed: u64, needed: u64, epoch: u64) {
        *self.seen.lock().expect("nobody panics while holding it") = Seen { sealed, needed, epoch };
    }

    /// The raw log is on the indexes' drive: what jobs take of it, nobody may receive.
    pub fn share_drive(&self) {
        self.is_shared.store(true, Ordering::Release);
    }

    /// A job wants to begin that may take so many bytes of the indexes' drive, which has this `room`; `None` if they would take of
    /// the reserve, or of what is promised to others.
    #[must_use]
    pub fn promise_of(self: &Arc<Self>, bytes: u64, room: &Space, reserve: Reserve) -> Option<Promise> {
        let taken = self.taken();
        let promise = self.promise(bytes);
        // Shards take batches meanwhile, as far as the last look allowed them. So that is lowered first, and then looked whether
        // what they have taken by now leaves enough; the next look at the room raises it again.
        let takes = bytes > 0 && reserve.bytes() > 0;
        if takes && self.is_shared.load(Ordering::Acquire) && !bug!(JobsBesideBatches) {
            let free = room.available_bytes.saturating_sub(reserve.bytes()).saturating_sub(self.promised());
            self.bound.fetch_min(taken.saturating_add(dealt_with(free)), Ordering::AcqRel);
            self.keep_to_segments(true);
        }
        reserve.admits(room, self.promised()).then_some(promise)
    }

    /// A job begins that may take so many bytes.
    #[must_use]
    pub fn promise(self: &Arc<Self>, bytes: u64) -> Promise {
        self.jobs.fetch_add(bytes, Ordering::AcqRel);
        Promise { ledger: self.clone(), bytes, left: bytes }
    }

    /// What dealing everything that was received will take, and what jobs under way still may, in bytes.
    #[must_use]
    pub fn promised(&self) -> u64 {
        let jobs = self.jobs.load(Ordering::Acquire);
        self.promised_to_dealing().saturating_add(jobs)
    }

    fn promised_to_dealing(&self) -> u64 {
        let seen = *self.seen.lock().expect("nobody panics while holding it");
        let received = self.taken().saturating_sub(seen.sealed);
        let epoch = if received > 0 { seen.epoch } else { 0 };
        seen.needed.saturating_add(to_deal(received)).saturating_add(epoch)
    }
}

/// What a job may take; nobody's any more when it is dropped.
#[derive(Debug)]
pub struct Promise {
    ledger: Arc<Ledger>,
    bytes: u64,
    left: u64,
}

impl Promise {
    /// The job has taken so many bytes since it began: of those the filesystem knows.
    pub fn taken(&mut self, bytes: u64) {
        let left = self.bytes.saturating_sub(bytes).min(self.left);
        self.ledger.jobs.fetch_sub(self.left - left, Ordering::AcqRel);
        self.left = left;
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        self.taken(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_received_is_promised_until_it_is_seen_dealt() {
        let ledger = Ledger::default();
        ledger.saw(0, 1_000, 0);
        assert_eq!(ledger.promised(), 1_000, "left by the process before");
        ledger.publish(0, 1_600, 0);
        ledger.publish(5, 160, 0);
        assert_eq!(ledger.promised(), 1_000 + 1_760 + 110);
        ledger.take(5, 160);
        assert_eq!(ledger.promised(), 1_000 + 1_920 + 120);
        ledger.publish(0, 1_600, 1_600);
        assert_eq!(ledger.promised(), 1_000 + 1_920 + 120, "sealing changes nothing");
        let sealed = ledger.sealed();
        ledger.publish(5, 320, 320);
        ledger.saw(sealed, 1_700 + 340, 0);
        assert_eq!(ledger.promised(), 1_700 + 340 + 340, "sealed meanwhile: counted twice, not never");
        ledger.saw(ledger.sealed(), 0, 50);
        assert_eq!(ledger.promised(), 0, "no epoch has begun");
        ledger.take(1, 16);
        assert_eq!(ledger.promised(), 17 + 50);
    }

    #[test]
    fn a_job_holds_what_it_has_not_taken_until_it_ends() {
        let ledger = Arc::<Ledger>::default();
        ledger.saw(0, 5, 0);
        let (mut first, second) = (ledger.promise(100), ledger.promise(20));
        assert_eq!(ledger.promised(), 125);
        first.taken(40);
        first.taken(30);
        assert_eq!(ledger.promised(), 85);
        first.taken(1_000);
        assert_eq!(ledger.promised(), 25);
        drop((first, second));
        assert_eq!(ledger.promised(), 5);
    }

    #[test]
    fn what_a_job_is_promised_nobody_receives() {
        let (ledger, reserve) = (Arc::<Ledger>::default(), Reserve::new(1_000));
        let room = |available_bytes| Space {
            total_bytes: 9_999,
            available_bytes,
            total_files: 0,
            available_files: u64::MAX,
        };
        assert!(ledger.promise_of(100, &room(1_100), reserve).is_some_and(|promise| promise.bytes == 100));
        assert!(ledger.admits(1 << 40), "the raw log is on another drive");
        ledger.share_drive();
        // As much as the last look allowed.
        ledger.allow(Some(800));
        let promise = ledger.promise_of(500, &room(1_840), reserve);
        assert!(promise.is_some() && ledger.admits(320) && !ledger.admits(321), "340 are left to deal");
        assert!(ledger.keeps_to_segments());
        ledger.take(0, 320);
        assert!(ledger.promise_of(1, &room(1_840), reserve).is_none(), "everything is promised");
        assert_eq!(ledger.promised(), 500 + 340, "who may not begin is promised nothing");
        drop(promise);
        ledger.allow(None);
        assert!(ledger.promise_of(500, &room(1_840), reserve).is_some());
        assert!(!ledger.admits(1), "also where segments at hand were the only bound");
    }

    #[test]
    fn no_shard_takes_more_than_all_of_them_may() {
        let ledger = Ledger::default();
        ledger.publish(0, 500, 0);
        assert!(ledger.admits(1 << 40));
        ledger.allow(Some(100));
        assert!(ledger.admits(100) && !ledger.admits(101));
        ledger.take(1, 60);
        assert!(ledger.admits(40) && !ledger.admits(41));
        ledger.allow(None);
        assert!(ledger.admits(1 << 40));
    }

    #[test]
    fn what_can_be_dealt_with_some_room_takes_no_more() {
        for room in [0, 1, 16, 17, 18, 1_000, 1 << 40] {
            assert!(to_deal(dealt_with(room)) <= room, "{room}");
            assert!(room - to_deal(dealt_with(room)) < 17, "{room}");
        }
    }
}
