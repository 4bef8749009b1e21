//! The background thread: deals, sorts, optimizes and cleans, and says so in the log.

use bytesize::ByteSize;
use logtank_engine::index_log::foreign_indexes;
use logtank_engine::jobs::{Background, JobsConfig, Policy, Report};
use logtank_engine::raw_log::AppendMode;
use logtank_os::clock::SystemClock;
use logtank_os::disk::{Throttle, block_on};

use super::events::{HostEvent, Step};
use super::handles::Handles;
use super::nameless::nameless_indexes;
use crate::config::Settings;
use crate::metrics::{Beat, Health, HostMetrics};

/// What a user may set about background work, in the engine's terms.
pub(crate) fn jobs_config(settings: &Settings) -> JobsConfig {
    JobsConfig {
        unread_before_clean: settings.unread_before_clean,
        history_age_max: settings.history_max_age,
        history_bytes_max: settings.history_max_bytes,
        ..JobsConfig::default()
    }
}

/// How background work gives way to appends that are written so; `None` if this process has none.
pub(super) fn policy(settings: &Settings, append: Option<AppendMode>) -> Policy {
    let mut policy = Policy { rate_bytes_min: settings.background_rate_min, ..Policy::default() };
    // A buffered append is a copy to memory: how long the drive takes for a write says nothing of it.
    if append == Some(AppendMode::Direct) {
        policy.slow_min = settings.append_slow_after;
    }
    policy
}

/// What the thread needs.
#[derive(Debug)]
pub(super) struct BackgroundThread {
    pub(super) handles: Handles,
    pub(super) config: JobsConfig,
    pub(super) policy: Policy,
    /// Gives signs of life when background work has ended early.
    pub(super) beat: Beat,
}

impl BackgroundThread {
    /// Runs until the host stops.
    ///
    /// # Errors
    /// If there is no ring, or the folders can't be opened.
    pub(super) fn run(self) -> anyhow::Result<()> {
        let Self { handles, config, policy, beat } = self;
        block_on(async {
            let store = handles.tree.store(Throttle::new(policy, handles.signal.clone()))?;
            for folder in foreign_indexes(&store).await? {
                tracing::warn!(
                    folder = %folder.display(),
                    "an index of the original whose name can't be one here is neither listed nor served: feed it anew under another name"
                );
            }
            for folder in nameless_indexes(store.layout())? {
                tracing::warn!(
                    %folder,
                    "the name of an index that is no text (UTF-8): it is neither listed nor served; feed it anew under another name"
                );
            }
            let mut background =
                Background::new(store, SystemClock, handles.limits.clone(), config, handles.shared.clone());
            handles.events.send(HostEvent::Step(Step::Equipped));
            let report = |report| tell(report, &handles.health, &handles.metrics);
            background.run(&|| *handles.stop.borrow(), &report).await;
            // After a failed sync it has ended early. The writer goes on, and readers do: what they are served from is in
            // the raw log until it is durable elsewhere.
            let mut stop = handles.stop.clone();
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => {}
                never = beat.tick() => match never {},
            }
            Ok(())
        })?
    }
}

pub(super) fn tell(report: Report, health: &Health, metrics: &HostMetrics) {
    match report {
        Report::Dealt(dealt) => {
            metrics.dealt(dealt.epoch);
            tracing::info!(
                epoch = %dealt.epoch,
                records = dealt.records(),
                bytes = dealt.bytes(),
                indexes = dealt.indexes.len(),
                "epoch dealt"
            );
            if dealt.rejected_records > 0 {
                tracing::warn!(
                    epoch = %dealt.epoch,
                    records = dealt.rejected_records,
                    "records that belong to no index were set aside in rejected/"
                );
            }
            for damage in &dealt.unreadable_deletions {
                tracing::error!("{damage}");
            }
        }
        Report::Blocked { epoch, corruption } => {
            metrics.damaged(&corruption);
            let why = format!(
                "dealing stands still, since nothing may be dealt in part: {corruption}; restore the file from a replica or \
                 a backup, and dealing goes on by itself"
            );
            tracing::error!(%epoch, "{why}");
            health.dealing_blocked(Some(why));
        }
        Report::Incomplete { epoch } => {
            let why = format!(
                "dealing waits for epoch {epoch}, which has been closed for minutes and is not complete: a shard has not \
                 written what it took positions for; if the raw log's drive is well, start the host again, which finds \
                 out what is missing"
            );
            tracing::error!("{why}");
            health.epoch_incomplete(Some(why));
        }
        Report::Complete => {
            tracing::info!("dealing continues: the epoch that it waited for is complete");
            health.epoch_incomplete(None);
        }
        Report::NoRoom { job, needed, available } => {
            let why = format!(
                "{job} waits for room on the drive of the indexes: it may take {}, and {} are free, of which \
                 free_bytes_min is kept; free some, or lower history_max_bytes",
                ByteSize(needed),
                ByteSize(available)
            );
            tracing::error!("{why}");
            health.without_room(Some(why));
        }
        Report::Room => {
            tracing::info!("there is room on the drive of the indexes again: background work continues");
            health.without_room(None);
        }
        Report::Unblocked => {
            tracing::info!("dealing goes on: the damage is repaired");
            health.dealing_blocked(None);
        }
        Report::DealingFails { why } => {
            let why = format!(
                "nothing is dealt, since that fails again and again: {why}; look at the room, the limits and the health of the \
                 drive of the indexes (df, df -i, quotas, dmesg)"
            );
            tracing::error!("{why}");
            health.dealing_failing(Some(why));
        }
        Report::DealingWorks => {
            tracing::info!("dealing works again");
            health.dealing_failing(None);
        }
        Report::Foreign(foreign) => tracing::warn!("{foreign}"),
        Report::Stray(stray) => tracing::error!("{stray}"),
        // There may be a hundred thousand of them: counters tell of them all.
        Report::Sorted { code, records } => tracing::debug!(index = %code, records, "index sorted"),
        Report::Optimized { code, records } => tracing::debug!(index = %code, records, "index optimized"),
        Report::Cleaned(cleaned) => tracing::info!(
            superseded = cleaned.superseded,
            deleted = cleaned.deleted,
            bytes = cleaned.bytes,
            folders = cleaned.folders,
            leftovers = cleaned.leftovers,
            "cleaned"
        ),
        Report::Pruned(pruned) => {
            tracing::info!(files = pruned.files, bytes = pruned.bytes, "raw segments of history given up");
        }
        Report::Damage { code, corruption } => {
            tracing::error!(index = %code, "damage that did no harm yet: {corruption}; look at the drive (dmesg, smartctl), and see `logtank repair`");
        }
        Report::Gone { code, corruption } => tracing::error!(
            index = %code,
            "recoveries of this index are refused, and it is neither sorted nor optimized: {corruption}"
        ),
        Report::Halted { job, error } => {
            let why = format!(
                "background work has stopped, since a sync failed during {job} and nothing written before it can be trusted: \
                 {error}; look at the drive of the indexes, then start the host again, which puts them in order"
            );
            tracing::error!("{why}");
            health.background_halted(why);
        }
        Report::IndexFailed { job, code, error } => {
            tracing::error!(index = %code, "{job} of this index failed, it is tried again later: {error}; if it stays so, `logtank verify` names what is damaged");
        }
        Report::Failed { job, error } => tracing::error!(
            "{job} failed, it is tried again later: {error}; if it stays so, look at the drive's room and health"
        ),
    }
}
