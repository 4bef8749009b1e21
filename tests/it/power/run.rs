//! One run of a host under load on a drive.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use logtank_faultfs::Filesystem;
use logtank_tests::client::{Client, Failure};
use logtank_tests::history::History;
use logtank_tests::host::Host;
use logtank_tests::load::{Load, Progress};
use logtank_tests::random::Random;
use logtank_tests::thrift::enqueue;

use super::deletions::Deletions;

/// The interval that is promised.
pub(super) const T: Duration = Duration::from_secs(1);

/// Epochs that end so soon that all jobs have work.
pub(super) const SHORT: &str = "300ms";

/// Length of a drive. What is never written costs nothing.
pub(super) const DRIVE_BYTES: usize = 2 << 30;

/// What a run is made with.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) filesystem: Filesystem,
    pub(super) append: &'static str,
    pub(super) sync: &'static str,
    /// How long an epoch is open: while it is, nothing but the interval has anything synced.
    pub(super) epoch: &'static str,
    /// What the host takes for the interval.
    pub(super) interval: Duration,
    /// How long a flush takes now and then.
    pub(super) stall: Option<Duration>,
    pub(super) load_for: Duration,
}

impl Setting {
    pub(super) fn is_always(&self) -> bool {
        self.sync == "always"
    }

    /// A host on the mounted filesystem, not started. Small files, short epochs: all jobs have work.
    pub(super) fn host(&self, mounted: &Path) -> Host {
        let data = mounted.join("data");
        let interval = format!("{}ms", self.interval.as_millis());
        let arguments = [
            "--shards",
            "1",
            "--append",
            self.append,
            "--sync",
            self.sync,
            "--sync-interval",
            &interval,
            "--epoch-max-age",
            self.epoch,
            "--free-bytes-min",
            "64MiB",
            "--message-bytes-max",
            "256KiB",
            "--record-bytes-max",
            "64KiB",
            "--history-max-bytes",
            "64MiB",
            "--unread-before-clean",
            "1s",
        ];
        Host::new(&data, &arguments)
    }

    /// How the setting is called in reports.
    pub(super) fn name(&self) -> String {
        let stalls = if self.stall.is_some() { "-stalls" } else { "" };
        let epoch = if self.epoch == SHORT { "" } else { "-steady" };
        let broken = if self.interval == T { "" } else { "-broken" };
        format!("{}-{}-{}{epoch}{stalls}{broken}", self.filesystem.name(), self.append, self.sync)
    }
}

/// What was sent to the host of one run.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) history: History,
    pub(super) deletions: Deletions,
}

/// Runs the load on a started host, with reading, optimizing and deleting beside it; `during` says when it is over.
pub(super) fn under_load(host: &Host, seed: u64, during: impl FnOnce(&Progress)) -> Sent {
    let load = Load {
        writer: host.writer(),
        workers: 6,
        records: u64::MAX,
        indexes: 6,
        batch: 12,
        documents: 20,
        text: 200,
        seed,
        pause: Duration::from_millis(8),
    };
    let (reader, manager) = (host.reader(), host.manager());
    let (progress, over) = (Progress::default(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let running = scope.spawn(|| load.run(&progress));
        let beside = scope.spawn(|| {
            let mut deletions = Deletions::default();
            let mut random = Random::new(seed);
            while !over.load(Ordering::Acquire) {
                // The host may be gone: then there is nothing to disturb.
                let _ = deletions.round(load.writer, manager);
                let _ = optimize_and_read(reader, manager, &mut random, load.indexes);
                std::thread::sleep(Duration::from_millis(50));
            }
            deletions
        });
        during(&progress);
        progress.stop.store(true, Ordering::Relaxed);
        over.store(true, Ordering::Release);
        let history = running.join().expect("the load runs");
        Sent { history, deletions: beside.join().expect("the rounds run") }
    })
}

fn optimize_and_read(
    reader: std::net::SocketAddr,
    manager: std::net::SocketAddr,
    random: &mut Random,
    indexes: u32,
) -> Result<(), Failure> {
    let index = format!("index-{}", random.below(indexes.into()));
    Client::connect(manager)?.call("enqueue_for_optimization", &enqueue(&index, 1, 1.0))?;
    Client::connect(reader)?.recover(&index)?;
    Ok(())
}

/// Waits until `until`.
pub(super) fn rest(until: Instant) {
    std::thread::sleep(until.saturating_duration_since(Instant::now()));
}

/// The host's data directory as text.
pub(super) fn text(path: &Path) -> String {
    PathBuf::from(path).into_os_string().into_string().expect("temporary folders have plain names")
}
