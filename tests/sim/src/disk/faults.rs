use std::cell::Cell;
use std::io;

use crate::random::Random;

/// What the drive does wrong, now; chances in thousandths of the calls.
#[derive(Debug)]
pub struct Faults {
    /// Reads that fail.
    pub reads: Cell<u64>,
    /// Writes that fail, some of them half-done.
    pub writes: Cell<u64>,
    /// fdatasync, fsync and syncfs calls that fail.
    pub syncs: Cell<u64>,
    /// Creations, renames and removals that fail.
    pub names: Cell<u64>,
    /// Files and folders that can't be opened, for want of a descriptor.
    pub opens: Cell<u64>,
    /// Removals that fail.
    pub removals: Cell<u64>,
    /// Writes of the shards that end early.
    pub short: Cell<u64>,
    /// How much slower than usual everything is.
    pub slowness: Cell<u64>,
    /// Nothing completes before this time.
    pub stalled_until: Cell<u64>,
    /// Nothing of this shard completes before this time: the scheduler serves others first.
    pub starved: Cell<Option<(usize, u64)>>,
    /// For so long the shards' requests wait once a write or a sync of one has failed.
    pub limp_nanos: Cell<u64>,
    limps_until: Cell<u64>,
    /// Bytes that fit.
    pub capacity: Cell<u64>,
    /// How many writes of the shards failed so far.
    pub failed_writes: Cell<u64>,
    /// How many syncs of segments in use failed so far.
    pub failed_syncs: Cell<u64>,
    /// How many segments were given up so far.
    pub abandoned: Cell<u64>,
    random: Random,
}

/// EIO, as the kernel says it.
pub(super) fn io_error() -> io::Error {
    io::Error::from_raw_os_error(5)
}

/// EMFILE.
fn no_descriptor() -> io::Error {
    io::Error::from_raw_os_error(24)
}

/// ENOSPC.
pub(super) fn full_error() -> io::Error {
    io::ErrorKind::StorageFull.into()
}

impl Faults {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            reads: Cell::default(),
            writes: Cell::default(),
            syncs: Cell::default(),
            names: Cell::default(),
            opens: Cell::default(),
            removals: Cell::default(),
            short: Cell::default(),
            slowness: Cell::new(1),
            stalled_until: Cell::default(),
            starved: Cell::default(),
            limp_nanos: Cell::default(),
            limps_until: Cell::default(),
            capacity: Cell::new(u64::MAX),
            failed_writes: Cell::default(),
            failed_syncs: Cell::default(),
            abandoned: Cell::default(),
            random: Random::new(seed, "drive"),
        }
    }

    /// The drive is a good one again (its stalls end by themselves).
    pub fn heal(&self) {
        let (bytes, names) =
            ([&self.reads, &self.writes, &self.syncs, &self.short], [&self.names, &self.removals]);
        bytes.into_iter().chain(names).chain([&self.opens]).for_each(|chance| chance.set(0));
        self.slowness.set(1);
        self.limp_nanos.set(0);
        self.capacity.set(u64::MAX);
    }

    /// Where the drive's random numbers come from.
    #[must_use]
    pub const fn random(&self) -> &Random {
        &self.random
    }

    /// When a call that begins now ends.
    pub(super) fn ends(&self, now: u64, is_sync: bool) -> u64 {
        let micros = if is_sync { self.random.between(100, 3_000) } else { self.random.between(5, 120) };
        (now + micros * 1_000 * self.slowness.get()).max(self.stalled_until.get() + micros)
    }

    /// When a request of this shard that begins now ends.
    pub(super) fn ends_for(&self, shard: usize, now: u64, is_sync: bool) -> u64 {
        let ends = self.ends(now, is_sync).max(self.limps_until.get());
        self.starved.get().filter(|(starved, _)| *starved == shard).map_or(ends, |(_, until)| ends.max(until))
    }

    /// A write of a shard failed; what the shards begin from now on may take longer.
    pub(super) fn write_failed(&self, now: u64) {
        self.failed_writes.set(self.failed_writes.get() + 1);
        self.limp(now);
    }

    /// A sync of a segment in use failed; as above.
    pub(super) fn sync_failed(&self, now: u64) {
        self.failed_syncs.set(self.failed_syncs.get() + 1);
        self.limp(now);
    }

    fn limp(&self, now: u64) {
        self.limps_until.set(self.limps_until.get().max(now + self.limp_nanos.get()));
    }

    /// Whether there is a descriptor for one more file.
    pub(super) fn descriptor(&self) -> io::Result<()> {
        if self.strikes(&self.opens) { Err(no_descriptor()) } else { Ok(()) }
    }

    /// Whether something that fails so often fails now.
    pub(super) fn strikes(&self, chance: &Cell<u64>) -> bool {
        chance.get() > 0 && self.random.permille(chance.get())
    }
}
