//! What a seed stands for: how the host is set up, who uses it, and what goes wrong.

use std::time::Duration;

use logtank_engine::io::Transfer;
use logtank_engine::jobs::JobsConfig;
use logtank_engine::limits::{Limits, SORT_SEGMENTS_MAX};
use logtank_engine::raw_log::{AppendMode, SyncMode};

use crate::disk::MetadataModel;
use crate::oracle::Promise;
use crate::random::Random;

/// The parameters of one run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where all else comes from.
    pub seed: u64,
    /// Shards of the host.
    pub shards: usize,
    /// Names of the indexes.
    pub codes: Vec<String>,
    /// Clients that write.
    pub clients: usize,
    /// Batches that each of them sends.
    pub batches: usize,
    /// Documents that a client has in each index.
    pub documents: u64,
    /// When batches are acknowledged.
    pub sync: SyncMode,
    /// How frames reach the drive.
    pub append: AppendMode,
    /// Writes complete in the turn that begins them.
    pub inline_writes: bool,
    /// Bounds.
    pub limits: Limits,
    /// What the background is told.
    pub jobs: JobsConfig,
    /// An epoch is closed after this long.
    pub epoch_max_age: Duration,
    /// Bytes of a recovery's page.
    pub page_bytes_max: usize,
    /// What a power cut leaves of names.
    pub metadata: MetadataModel,
    /// Crashes and other troubles.
    pub troubles: usize,
    /// Which kinds of trouble there are.
    pub menu: Menu,
    /// Longest text of a record.
    pub text_bytes_max: u64,
    /// Files that wait to be recycled when it all begins.
    pub spares: u64,
    /// There are long calm times, and readers that use them between two pages.
    pub patient: bool,
    /// Nobody asks for anything to be optimized: what there is gathers until the host finds it worth it.
    pub left_alone: bool,
    /// Of a hundred times that somebody could ask for an optimization, how often that is done: the more rarely, the more
    /// segments each has to merge.
    pub optimize_percent: u64,
}

/// Kinds of trouble that a run may have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Menu {
    /// The power is cut (else the process is only killed).
    pub power: bool,
    /// Calls fail with EIO, writes are short.
    pub errors: bool,
    /// The drive fills up.
    pub full: bool,
    /// The drive is slow, or stalls.
    pub slow: bool,
    /// The wall clock is set.
    pub clock: bool,
    /// Indexes are deleted.
    pub deletions: bool,
    /// Bits of sealed files flip, at the end.
    pub flips: bool,
}

impl Plan {
    /// What this seed stands for.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let random = Random::new(seed, "plan");
        let always = random.percent(35);
        let interval = Duration::from_millis(*random.pick(&[200, 500, 1_000, 1_000]));
        let message_bytes_max = 4_096;
        let limits = Limits {
            message_bytes_max,
            record_bytes_max: 3_000,
            connections_max: *Random::new(seed, "connections").pick(&[1, 2, 3, 16]),
            unsynced_bytes_max: usize::try_from(random.between(4, 16)).expect("small")
                * 4
                * message_bytes_max,
            in_flight_bytes_max: 64 * 1024,
            segment_roll_bytes: *random.pick(&[16_384, 16_384, 24_576, 40_960]),
            free_bytes_min: 200_000,
            // Small enough that an epoch takes several passes now and then.
            job_bytes_max: *random.pick(&[6_000, 60_000, 1 << 20]),
            ..Limits::default()
        };
        let jobs = JobsConfig {
            unread_before_clean: Duration::from_secs(random.between(0, 20)),
            history_age_max: random.percent(50).then(|| Duration::from_secs(random.between(5, 60))),
            history_bytes_max: random.percent(30).then(|| random.between(0, 200_000)),
            spares_max: random.place(3),
            raw_transfer: if random.percent(80) { Transfer::Direct } else { Transfer::Cached },
            ..JobsConfig::default()
        };
        let patient = random.percent(10);
        let left_alone = patient && random.percent(30);
        let codes = (0..random.between(1, 3)).map(|number| format!("index-{number}")).collect();
        let mut plan = Self {
            seed,
            shards: random.place(3) + 1,
            codes,
            clients: random.place(3) + 1,
            batches: if left_alone { 120 } else { usize::try_from(random.between(15, 60)).expect("small") },
            documents: random.between(2, 12),
            sync: if always { SyncMode::Always } else { SyncMode::Interval(interval) },
            append: if random.percent(50) { AppendMode::Direct } else { AppendMode::Buffered },
            inline_writes: random.percent(30),
            limits,
            jobs,
            epoch_max_age: Duration::from_millis(random.between(300, if left_alone { 600 } else { 6_000 })),
            page_bytes_max: usize::try_from(random.between(50, 6_000)).expect("small"),
            metadata: if random.percent(50) { MetadataModel::Journal } else { MetadataModel::Posix },
            troubles: usize::try_from(random.between(2, 8)).expect("small"),
            menu: Menu {
                power: random.percent(75),
                errors: random.percent(35),
                full: random.percent(15),
                slow: random.percent(35),
                clock: random.percent(30),
                deletions: random.percent(40),
                flips: random.percent(20),
            },
            text_bytes_max: *random.pick(&[20, 200, 2_000]),
            spares: if random.percent(50) { random.between(1, 5) } else { 0 },
            patient,
            left_alone,
            optimize_percent: if left_alone { 0 } else { *random.pick(&[100, 100, 30, 10]) },
        };
        plan.jobs.sort_segments_max = *random.pick(&[SORT_SEGMENTS_MAX, SORT_SEGMENTS_MAX, 4, 1]);
        if plan.piles_up() && random.percent(60) {
            // Less has room for two streams only.
            plan.limits.job_bytes_max = 8 << 20;
        }
        plan
    }

    /// Whether indexes are sorted so early that several sorted segments may wait for an optimization.
    #[must_use]
    pub const fn piles_up(&self) -> bool {
        self.jobs.sort_segments_max < SORT_SEGMENTS_MAX
    }

    /// What the oracle holds the host to.
    #[must_use]
    pub const fn promise(&self) -> Promise {
        match self.sync {
            SyncMode::Interval(interval) => Promise::Interval(interval),
            SyncMode::Always => Promise::Always,
        }
    }
}
