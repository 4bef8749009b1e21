//! The raw log's thread: puts the raw log in order at the start, then keeps segments ready for the shards and gives
//! those in use their names.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use bytesize::ByteSize;
use logtank_engine::error::is_shortage;
use logtank_engine::format::names::{RawName, time_of};
use logtank_engine::host::raw_room::{Indexes, RawRoom};
use logtank_engine::ids::ShardId;
use logtank_engine::io::disk::{Space, Transfer};
use logtank_engine::io::op::ShardEvent;
use logtank_engine::jobs::dealer::Dealer;
use logtank_engine::jobs::governor::Policy;
use logtank_engine::jobs::shared::Shared;
use logtank_engine::limits::Limits;
use logtank_engine::raw_log::files::prepare::Preparer;
use logtank_engine::raw_log::read::live::ReadyFile;
use logtank_engine::raw_log::recover::{Recovered, RecoveryProgress, recover};
use logtank_engine::raw_log::write::config::AppendMode;
use logtank_engine::room::reserve::files_min;
use logtank_engine::store::Store;
use logtank_os::append_signal::AppendSignal;
use logtank_os::disk::{Throttle, UringDisk, block_on};
use logtank_os::mailbox::Mail;
use rustix::fs::OFlags;
use tokio::sync::mpsc::UnboundedReceiver;

use super::Tree;
use super::appends::{Appends, Cause};
use super::events::{Events, HostEvent, Step};
use super::shards::{FromShard, Shard};
use super::starving::{Starving, Waiting};
use crate::causes::causes;
use crate::metrics::{Beat, Health, HostMetrics};

/// Between two log lines about a recovery that takes long.
const PROGRESS_EVERY: Duration = Duration::from_secs(5);
/// Between two looks at the room on the drive, if nobody asks.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// After a segment could not be prepared. A full drive refuses appends long before, so nobody waits for it.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Between two log lines about the same failure.
const REMIND_EVERY: Duration = Duration::from_secs(600);

/// Between two attempts at what needs a descriptor while there is none.
const SHORTAGE_PAUSE: Duration = Duration::from_millis(50);

/// However slow appends are, segments are made ready this fast: without them there would be no appends at all.
const PREPARE_BYTES_PER_SECOND_MIN: u64 = 256 << 20;

/// What the thread needs.
#[derive(Debug)]
pub(super) struct RawLog {
    pub(super) tree: Tree,
    pub(super) limits: Limits,
    pub(super) append: AppendMode,
    pub(super) shards: Vec<Shard>,
    pub(super) from_shards: UnboundedReceiver<FromShard>,
    pub(super) events: Events,
    pub(super) metrics: HostMetrics,
    pub(super) health: Health,
    pub(super) background: Arc<Shared>,
    pub(super) appends: Appends,
    pub(super) indexes: Indexes,
    pub(super) signal: Arc<AppendSignal>,
    pub(super) beat: Beat,
}

/// What came of a shard's wish for a segment.
enum Handed {
    Over,
    /// One more would take of the room that is kept free.
    NoRoom,
}

impl RawLog {
    /// Runs until every shard is done, or gone.
    ///
    /// # Errors
    /// If the raw log can't be put in order, or a segment in use can't be named.
    pub(super) fn run(self) -> anyhow::Result<()> {
        let beat = self.beat.clone();
        block_on(beat.over(async move {
            let policy = Policy { rate_bytes_min: PREPARE_BYTES_PER_SECOND_MIN, ..Policy::default() };
            let store = self.tree.store(Throttle::new(policy, self.signal.clone()))?;
            let recovered = put_in_order(&store, &self.metrics).await?;
            let preparer = Preparer::open(store.clone(), &self.limits, &recovered).await?;
            // Nothing of what waits is in the ledger yet, and segments are made beside what dealing it takes.
            let mut dealer = Dealer::new(store.clone(), &self.limits, Transfer::Cached);
            dealer.look().await?;
            self.background.ledger.saw(0, dealer.lag().sealed_needed_bytes, 0);
            self.events.send(HostEvent::Step(Step::Recovered(recovered.sequencer())));
            self.keep_ready(store, preparer).await
        }))?
    }

    async fn keep_ready(
        mut self,
        store: Store<UringDisk>,
        mut preparer: Preparer<UringDisk>,
    ) -> anyhow::Result<()> {
        let mut running = self.shards.len();
        let ledger = self.background.ledger.clone();
        let mut room = RawRoom::new(&self.limits, running, self.indexes, ledger);
        let mut look_at = Instant::now();
        let mut retry_at: Option<Instant> = None;
        let mut stocked = false;
        // Whose drive failed, and who has taken no fresh segment into use since.
        let mut rewriting: BTreeSet<usize> = BTreeSet::new();
        let mut starving = Starving::default();
        let mut urgent = false;
        let mut reported = Reported::default();
        if let Err(error) = preparer.give_up(self.shards.len()).await {
            tracing::warn!("raw segments that are not needed can't be given up: {error}");
        }
        while running > 0 {
            if Instant::now() >= look_at {
                look_at = Instant::now() + LOOK_EVERY;
                self.look(&preparer, &mut room).await;
            }
            // Names first: whoever looks at the folder then sees at once what a file is.
            let event = if let Ok(event) = self.from_shards.try_recv() {
                Some(event)
            } else if let Some(shard) = room.next().filter(|_| retry_at.is_none_or(|at| Instant::now() >= at))
            {
                retry_at = None;
                let handed_over = self.hand_over(&mut preparer, &mut room, shard, urgent).await;
                if !stocked && (room.all_served() || !matches!(handed_over, Ok(Handed::Over))) {
                    stocked = true;
                    room.serve_all();
                    self.events.send(HostEvent::Step(Step::Stocked));
                }
                match handed_over {
                    Ok(Handed::Over) => {
                        if rewriting.is_empty() {
                            self.health.drive_failing(None);
                        }
                        reported = Reported::default();
                        if !std::mem::take(&mut urgent) {
                            self.appends.set(Cause::Segments, None);
                        }
                    }
                    Ok(Handed::NoRoom) => {
                        self.deny(shard, &room, self.no_room());
                        retry_at = Some(Instant::now() + RETRY_AFTER);
                    }
                    // What waits in memory has nowhere to go, and its clients wait for an answer that can't come.
                    Err(error)
                        if !comes_back(&error)
                            && (!rewriting.is_empty() || self.waiting(&mut starving).is_too_long()) =>
                    {
                        return Err(error.context(
                            "the raw log's drive failed, and no fresh segment can be made for the batches in memory",
                        ));
                    }
                    Err(error) => {
                        let why = format!(
                            "no raw segment can be made ready; {}: {}",
                            advice(&error),
                            causes(&error)
                        );
                        reported.report(&error, &why);
                        // Descriptors come back soon, and what waits for one is answered then.
                        if !is_for_want_of_descriptors(&error) {
                            self.deny(shard, &room, why);
                        }
                        retry_at = Some(Instant::now() + RETRY_AFTER);
                    }
                }
                urgent = retry_at.is_some() && self.waiting(&mut starving).is_urgent();
                None
            } else {
                let until = retry_at.map_or(look_at, |at| at.min(look_at));
                let left = until.saturating_duration_since(Instant::now());
                match tokio::time::timeout(left, self.from_shards.recv()).await {
                    Ok(None) => break,
                    Ok(event) => event,
                    Err(_) => None,
                }
            };
            if let Some((shard, event)) = event {
                match event {
                    ShardEvent::NeedReady { missing } => room.wants(usize::from(shard.0), missing),
                    ShardEvent::NeedRoom => {
                        self.look(&preparer, &mut room).await;
                        self.appends.answer(usize::from(shard.0));
                    }
                    ShardEvent::Done | ShardEvent::Fatal { .. } => running -= 1,
                    event => {
                        if matches!(event, ShardEvent::Rewriting { .. }) {
                            rewriting.insert(usize::from(shard.0));
                        } else if matches!(event, ShardEvent::Claimed { .. }) {
                            rewriting.remove(&usize::from(shard.0));
                        }
                        self.heed(&store, &preparer, shard, event).await?;
                    }
                }
            }
        }
        Ok(())
    }

    fn waiting(&self, starving: &mut Starving) -> Waiting {
        starving.observe(self.shards.iter().map(|shard| &*shard.metrics), Instant::now())
    }

    /// A shard gets no segment; batches are refused unless it has one at hand.
    fn deny(&self, shard: usize, room: &RawRoom, why: String) {
        if !room.has_one(shard) && !self.appends.are_refused_for(Cause::Room) {
            self.appends.set(Cause::Segments, Some(why));
        }
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

    /// Makes one segment ready, or takes one that is, and posts it to a shard. One that appends and has none at hand is
    /// not kept waiting for blocks to be written.
    async fn hand_over(
        &self,
        preparer: &mut Preparer<UringDisk>,
        room: &mut RawRoom,
        number: usize,
        urgent: bool,
    ) -> anyhow::Result<Handed> {
        let shard = &self.shards[number];
        if preparer.ready() == 0 {
            if !urgent && !self.has_room(preparer, room, number).await? {
                return Ok(Handed::NoRoom);
            }
            room.begins(&preparer.room().await?);
            let appends = room.was_served(number);
            let began = Instant::now();
            let outcome = preparer.prepare_one(|| appends && shard.metrics.ready_segments.get() == 0).await;
            self.metrics.prepared(outcome.is_ok(), began.elapsed());
            self.look(preparer, room).await;
            outcome?;
        }
        let ready = preparer.take().expect("one is ready");
        match self.open(&ready) {
            Ok(file) => {
                let mail = Mail::Ready {
                    ready: ready.number,
                    file: file.into(),
                    file_bytes: ready.bytes,
                    salt: logtank_os::random::salt(),
                };
                // Only connections can find a mailbox full.
                let _ = shard.mailbox.post(mail);
                room.gave(number);
                self.look(preparer, room).await;
                Ok(Handed::Over)
            }
            Err(error) => {
                let what = format!("opening {}", ready.path.display());
                preparer.put_back(ready);
                Err(error).context(what)
            }
        }
    }

    /// Whether there is room for one more segment, if need be when what is there only to save time has been given up.
    async fn has_room(
        &self,
        preparer: &mut Preparer<UringDisk>,
        room: &mut RawRoom,
        shard: usize,
    ) -> anyhow::Result<bool> {
        let free = preparer.room().await?;
        self.apply(&free, room);
        if room.admits(shard, &free) {
            return Ok(true);
        }
        if preparer.give_up(0).await? == 0 {
            return Ok(false);
        }
        let free = preparer.room().await?;
        self.apply(&free, room);
        Ok(room.admits(shard, &free))
    }

    /// Looks at the drive's room: whether batches are taken, and how many.
    async fn look(&self, preparer: &Preparer<UringDisk>, room: &mut RawRoom) {
        match preparer.room().await {
            Ok(free) => self.apply(&free, room),
            // Told by whoever shows the room.
            Err(_) => room.blind(),
        }
    }

    fn apply(&self, free: &Space, room: &mut RawRoom) {
        let why = (!room.look(free)).then(|| self.why(free, room.bytes_min(free)));
        self.appends.set(Cause::Room, why);
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

    fn open(&self, ready: &ReadyFile) -> std::io::Result<File> {
        let direct = match self.append {
            AppendMode::Direct => OFlags::DIRECT,
            AppendMode::Buffered => OFlags::empty(),
        };
        let flags = i32::try_from((direct | OFlags::NOFOLLOW).bits()).expect("open flags are small");
        File::options().read(true).write(true).custom_flags(flags).open(&ready.path)
    }

    async fn heed(
        &self,
        store: &Store<UringDisk>,
        preparer: &Preparer<UringDisk>,
        shard: ShardId,
        event: ShardEvent,
    ) -> anyhow::Result<()> {
        match event {
            ShardEvent::Claimed { ready, epoch, part } => {
                let name = RawName::Segment { epoch, shard, part };
                let mut told = false;
                loop {
                    match preparer.claimed(ready, name).await {
                        // The kernel tells nobody when descriptors come back. Without its name a segment is found all the same.
                        Err(error) if error.is_shortage() => {
                            if !std::mem::replace(&mut told, true) {
                                tracing::error!(
                                    "a raw segment can't be named yet; raise the limit of open files: {error}"
                                );
                            }
                            tokio::time::sleep(SHORTAGE_PAUSE).await;
                        }
                        named => {
                            named.with_context(|| format!("naming the raw segment {name}"))?;
                            break;
                        }
                    }
                }
            }
            ShardEvent::Sealed { epoch, part, .. } => {
                tracing::debug!(%shard, %epoch, part, "raw segment sealed");
                self.background.wake_dealer();
            }
            ShardEvent::Abandoned { ready, epoch, part } => {
                let names = [RawName::Ready(ready), RawName::Segment { epoch, shard, part }];
                for name in names {
                    if let Err(error) = store.remove(&store.layout().live(name)).await {
                        tracing::error!(
                            "a raw segment that failed can't be removed; the next start will see to it: {error}"
                        );
                    }
                }
            }
            ShardEvent::Rewriting { what } => {
                let why = format!(
                    "the raw log's drive failed, batches still in memory are being written to a fresh segment; \
                     look at the drive: {what}"
                );
                tracing::error!(%shard, "{why}");
                self.health.drive_failing(Some(why));
            }
            ShardEvent::EpochClosed { now_open } => tracing::debug!(%shard, %now_open, "epoch closed"),
            ShardEvent::NeedReady { .. }
            | ShardEvent::NeedRoom
            | ShardEvent::Done
            | ShardEvent::Fatal { .. } => {}
        }
        Ok(())
    }
}

/// What failed for the last time, so that the log has it once, and then rarely.
#[derive(Default)]
struct Reported(Option<(Option<i32>, Instant)>);

impl Reported {
    /// By the system's error: each try has another name.
    fn report(&mut self, error: &anyhow::Error, why: &str) {
        let code = system_errors(error).find_map(std::io::Error::raw_os_error);
        let known = self.0.filter(|(known, at)| *known == code && at.elapsed() < REMIND_EVERY);
        if known.is_none() {
            tracing::error!("{why}; it is tried again each second");
            self.0 = Some((code, Instant::now()));
        }
    }
}

/// A full drive may have room again, and descriptors come back.
fn comes_back(error: &anyhow::Error) -> bool {
    let full = [ErrorKind::StorageFull, ErrorKind::QuotaExceeded, ErrorKind::FileTooLarge];
    system_errors(error).any(|cause| full.contains(&cause.kind())) || is_for_want_of_descriptors(error)
}

/// What to do about a segment that can't be made.
fn advice(error: &anyhow::Error) -> &'static str {
    let kind = system_errors(error).map(std::io::Error::kind).next();
    match kind {
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

fn is_for_want_of_descriptors(error: &anyhow::Error) -> bool {
    system_errors(error).any(is_shortage)
}

fn system_errors(error: &anyhow::Error) -> impl Iterator<Item = &std::io::Error> {
    error.chain().filter_map(|cause| cause.downcast_ref())
}

/// Runs recovery, with its progress and its findings in the log and the metrics.
///
/// # Errors
/// If the raw log can't be put in order; nothing may be appended then.
pub(crate) async fn put_in_order(
    store: &Store<UringDisk>,
    metrics: &HostMetrics,
) -> anyhow::Result<Recovered> {
    let began = Instant::now();
    let mut told = began;
    let mut progress = |at: RecoveryProgress| {
        if told.elapsed() >= PROGRESS_EVERY {
            told = Instant::now();
            tracing::info!(
                segments = at.segments,
                of = at.segments_total,
                bytes = at.bytes,
                "putting the raw log in order"
            );
        }
    };
    let recovered = recover(store, logtank_os::clock::wall(), &mut progress)
        .await
        .context("the raw log can't be put in order, so nothing may be appended to it")?;
    tell(&recovered, began.elapsed(), metrics);
    Ok(recovered)
}

fn tell(recovered: &Recovered, took: Duration, metrics: &HostMetrics) {
    let report = recovered.report();
    metrics.recovered(took, report);
    tracing::info!(
        sealed_segments = report.sealed_segments,
        records = report.records,
        cut_bytes = report.cut_bytes,
        seconds = took.as_secs_f64(),
        "the raw log is in order"
    );
    if report.restored_bytes > 0 {
        tracing::warn!(
            bytes = report.restored_bytes,
            "only the page cache still had a part of the raw log, after an fdatasync that failed; it is on the drive now, but look at the drive"
        );
    }
    for why in &report.unrestored {
        tracing::error!(
            "what only the page cache has of the raw log can't be brought back to the drive, and may be lost: {why}"
        );
    }
    for epoch in &report.lost {
        tracing::error!(
            epoch = %epoch.epoch,
            records = epoch.records(),
            ordinals = ?epoch.gaps,
            since = time_of(epoch.epoch),
            "positions are missing from the raw log: a power cut or a drive took them, and the API servers have them, so send them \
             again; or, after a restore, their files were not among those copied"
        );
    }
    for missing in recovered.missing() {
        tracing::error!(
            epoch = %missing.epoch,
            "the raw log has a gap: {missing}. After a restore, their files were not among those copied, or history was pruned: put them \
             there too and restore once more into an empty folder. Otherwise a power cut or a drive took what was acknowledged of them: \
             the API servers have it, send it again"
        );
    }
    if report.dropped_frames > 0 {
        tracing::error!(
            frames = report.dropped_frames,
            records = report.dropped_records,
            "whole frames lay behind a hole and were given up, so that the order of the log stays; if records of them were acknowledged, the API \
             servers have them, send them again"
        );
    }
    for damage in &report.damaged {
        tracing::error!(
            "{damage}; restore the file from a replica or a backup, or `logtank verify` shows what it costs"
        );
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use logtank_engine::error::{DiskError, Error, Verb};

    use super::{advice, comes_back};

    fn failed(code: i32) -> anyhow::Error {
        let error = DiskError::new(Verb::Allocate, Path::new("/x"), std::io::Error::from_raw_os_error(code));
        anyhow::Error::from(Error::from(error))
    }

    #[test]
    fn what_can_be_done_depends_on_what_failed() {
        let said = |code| advice(&failed(code));
        assert!(said(27).contains("LimitFSIZE=") && said(122).contains("quota of this user"));
        assert!(said(30).contains("read-only") && said(28).contains("df -i"));
    }

    #[test]
    fn room_quota_length_and_descriptors_come_back() {
        let back: Vec<_> = (1..134).filter(|&code| comes_back(&failed(code))).collect();
        assert_eq!(back, [12, 23, 24, 27, 28, 105, 122], "ENOMEM ENFILE EMFILE EFBIG ENOSPC ENOBUFS EDQUOT");
    }
}
