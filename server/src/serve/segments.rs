//! The shards, as the keeper of their segments reaches them; and what it says, for the log and the metrics.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::time::{Duration, Instant};

use bytesize::ByteSize;
use logtank_engine::error::{DiskError, Error, Verb};
use logtank_engine::host::{Cause, NoSegment, Report, Seen, ShardPort};
use logtank_engine::io::{ShardEvent, Space};
use logtank_engine::limits::Limits;
use logtank_engine::metrics::ShardMetrics;
use logtank_engine::raw_log::{AppendMode, ReadyFile};
use logtank_engine::room::files_min;
use logtank_os::mailbox::Mail;
use rustix::fs::OFlags;
use tokio::sync::mpsc::UnboundedReceiver;

use super::Tree;
use super::appends::Appends;
use super::events::{Events, HostEvent, Step};
use super::shards::{FromShard, Shard};
use crate::metrics::{Health, HostMetrics};

/// Between two log lines about the same failure.
const REMIND_EVERY: Duration = Duration::from_secs(600);

/// What the keeper of segments reaches.
#[derive(Debug)]
pub(super) struct Segments {
    pub(super) tree: Tree,
    pub(super) limits: Limits,
    pub(super) append: AppendMode,
    pub(super) shards: Vec<Shard>,
    pub(super) from_shards: UnboundedReceiver<FromShard>,
    pub(super) events: Events,
    pub(super) metrics: HostMetrics,
    pub(super) health: Health,
    pub(super) appends: Appends,
    pub(super) reported: Reported,
}

impl ShardPort for Segments {
    fn shards(&self) -> usize {
        self.shards.len()
    }

    fn metrics(&self, shard: usize) -> &ShardMetrics {
        &self.shards[shard].metrics
    }

    fn heard(&mut self) -> Option<(usize, ShardEvent)> {
        self.from_shards.try_recv().ok().map(numbered)
    }

    async fn hear(&mut self) -> Option<(usize, ShardEvent)> {
        self.from_shards.recv().await.map(numbered)
    }

    fn give(&self, shard: usize, ready: &ReadyFile) -> Result<(), DiskError> {
        let opened = self.open(ready).map_err(|source| DiskError::new(Verb::Open, &ready.path, source));
        let mail = Mail::Ready {
            ready: ready.number,
            file: opened?.into(),
            file_bytes: ready.bytes,
            salt: logtank_os::random::salt(),
        };
        // Only connections can find a mailbox full.
        let _ = self.shards[shard].mailbox.post(mail);
        Ok(())
    }

    fn ask_back(&self, shard: usize) {
        // Only connections can find a mailbox full.
        let _ = self.shards[shard].mailbox.post(Mail::GiveBack);
    }

    fn answer(&self, shard: usize) {
        self.appends.answer(shard);
    }

    fn room(&self, seen: &Seen) {
        let why = (!seen.open).then(|| self.why(&seen.free, seen.bytes_min));
        self.appends.set(Cause::Room, why);
    }

    fn segments(&self, missing: Option<NoSegment<'_>>) {
        let why = missing.map(|missing| match missing {
            NoSegment::Room => self.no_room(),
            NoSegment::Failed(error) => failing(error),
        });
        self.appends.set(Cause::Segments, why);
    }

    fn report(&mut self, report: Report<'_>) {
        match report {
            Report::Stocked => self.events.send(HostEvent::Step(Step::Stocked)),
            Report::Kept(error) => {
                tracing::warn!("raw segments that are not needed can't be given up: {error}");
            }
            Report::LastRoom => {}
            Report::Prepared { made, took } => self.metrics.prepared(made, took),
            Report::Given { all_write } => {
                if all_write {
                    self.health.drive_failing(None);
                }
                self.reported = Reported::default();
            }
            Report::Failing(error) => self.reported.report(error),
            Report::Unnamed(error) => {
                tracing::error!("a raw segment can't be named yet; raise the limit of open files: {error}");
            }
            Report::NotRemoved(error) => tracing::error!(
                "a raw segment that failed can't be removed; the next start will see to it: {error}"
            ),
            Report::Sealed { shard, epoch, part } => {
                tracing::debug!(%shard, %epoch, part, "raw segment sealed");
            }
            Report::EpochClosed { shard, now_open } => tracing::debug!(%shard, %now_open, "epoch closed"),
            Report::Rewriting { shard, what } => {
                let why = format!(
                    "the raw log's drive failed, batches still in memory are being written to a fresh segment; \
                     look at the drive: {what}"
                );
                tracing::error!(%shard, "{why}");
                self.health.drive_failing(Some(why));
            }
        }
    }
}

fn numbered((shard, event): FromShard) -> (usize, ShardEvent) {
    (usize::from(shard.0), event)
}

impl Segments {
    fn open(&self, ready: &ReadyFile) -> std::io::Result<File> {
        let direct = match self.append {
            AppendMode::Direct => OFlags::DIRECT,
            AppendMode::Buffered => OFlags::empty(),
        };
        let flags = i32::try_from((direct | OFlags::NOFOLLOW).bits()).expect("open flags are small");
        File::options().read(true).write(true).custom_flags(flags).open(&ready.path)
    }

    fn no_room(&self) -> String {
        format!(
            "one more raw segment ({}) in {} would take of the bytes or files that are kept free (free_bytes_min, what \
             dealing takes, and room for 1024 files or an eighth of all): see df and df -i; remove what is not needed there, \
             or lower history_max_bytes",
            ByteSize(self.limits.segment_file_bytes()),
            self.tree.layout.raw_live().display()
        )
    }

    fn why(&self, free: &Space, again_at: u64) -> String {
        let drive = self.tree.layout.raw().display();
        let (available, kept) = (ByteSize(free.available_bytes), ByteSize(self.limits.free_bytes_min));
        if free.available_bytes < self.limits.free_bytes_min {
            format!(
                "the drive of {drive} has {available} free, less than free_bytes_min ({kept}); free some, or lower \
                 history_max_bytes"
            )
        } else if free.available_files < files_min(free) {
            format!(
                "the filesystem of {drive} has room for {} more files, fewer than {} (df -i); remove some",
                free.available_files,
                files_min(free)
            )
        } else {
            format!(
                "the drive of {drive} has {available} free, and batches are taken again at {}, segments at hand included: \
                 twice free_bytes_min ({kept}), and what dealing takes; free some, or lower history_max_bytes",
                ByteSize(again_at)
            )
        }
    }
}

/// What failed for the last time, so that the log has it once, and then rarely.
#[derive(Debug, Default)]
pub(super) struct Reported(Option<(Option<i32>, Instant)>);

impl Reported {
    /// By the system's error: each try has another name.
    fn report(&mut self, error: &Error) {
        let code = system_error(error).and_then(std::io::Error::raw_os_error);
        let known = self.0.filter(|(known, at)| *known == code && at.elapsed() < REMIND_EVERY);
        if known.is_none() {
            tracing::error!("{}; it is tried again each second", failing(error));
            self.0 = Some((code, Instant::now()));
        }
    }
}

fn failing(error: &Error) -> String {
    format!("no raw segment can be made ready; {}: {error}", advice(error))
}

/// What to do about a segment that can't be made.
fn advice(error: &Error) -> &'static str {
    match system_error(error).map(std::io::Error::kind) {
        Some(ErrorKind::FileTooLarge) => {
            "a file may not become as long as a segment is: lift the limit of file lengths (LimitFSIZE= in the systemd unit, \
             ulimit -f; of a running host: prlimit --fsize=unlimited --pid), or use a filesystem that takes longer files"
        }
        Some(ErrorKind::QuotaExceeded) => {
            "the quota of this user, group or project is used up (quota, repquota): raise it, or remove some"
        }
        Some(ErrorKind::ReadOnlyFilesystem) => "its filesystem is read-only: look at the drive (dmesg)",
        _ => "look at the drive's room (df, df -i, quotas) and health",
    }
}

fn system_error(error: &Error) -> Option<&std::io::Error> {
    match error {
        Error::Disk(error) => Some(&error.source),
        Error::Corrupt(_) | Error::Unsettled(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn what_can_be_done_depends_on_what_failed() {
        let said = |code| {
            let source = std::io::Error::from_raw_os_error(code);
            advice(&DiskError::new(Verb::Allocate, Path::new("/x"), source).into())
        };
        assert!(said(27).contains("LimitFSIZE=") && said(122).contains("quota of this user"));
        assert!(said(30).contains("read-only") && said(28).contains("df -i"));
    }
}
