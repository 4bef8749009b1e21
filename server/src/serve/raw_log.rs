//! The raw log's thread: puts the raw log in order at the start, then keeps segments ready for the shards and gives
//! those in use their names.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use logtank_engine::format::time_of;
use logtank_engine::host::{Indexes, Keeper};
use logtank_engine::jobs::{Policy, Shared};
use logtank_engine::limits::Limits;
use logtank_engine::raw_log::{Recovered, RecoveryProgress, recover};
use logtank_engine::store::Store;
use logtank_os::append_signal::AppendSignal;
use logtank_os::clock::SystemClock;
use logtank_os::disk::{Throttle, UringDisk, block_on};

use super::Tree;
use super::events::{HostEvent, Step};
use super::segments::Segments;
use crate::metrics::{Beat, HostMetrics};

/// Between two log lines about a recovery that takes long.
const PROGRESS_EVERY: Duration = Duration::from_secs(5);

/// However slow appends are, segments are made ready this fast: without them there would be no appends at all.
const PREPARE_BYTES_PER_SECOND_MIN: u64 = 256 << 20;

/// What the thread needs.
#[derive(Debug)]
pub(super) struct RawLog {
    pub(super) tree: Tree,
    pub(super) limits: Limits,
    pub(super) segments: Segments,
    pub(super) metrics: HostMetrics,
    pub(super) background: Arc<Shared>,
    pub(super) indexes: Indexes,
    pub(super) signal: Arc<AppendSignal>,
    pub(super) beat: Beat,
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
            let events = self.segments.events.clone();
            let around = (self.indexes, self.background);
            let keeper =
                Keeper::open(store, SystemClock, self.segments, &self.limits, &recovered, around).await?;
            events.send(HostEvent::Step(Step::Recovered(recovered.sequencer())));
            Ok(keeper.run().await?)
        }))?
    }
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
