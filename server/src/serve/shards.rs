//! The shards' threads.

use std::sync::Arc;

use anyhow::{Context, bail};
use logtank_engine::ids::ShardId;
use logtank_engine::io::ShardEvent;
use logtank_engine::metrics::ShardMetrics;
use logtank_engine::raw_log::SyncMode;
use logtank_engine::sequencer::Sequencer;
use logtank_engine::shard::ShardConfig;
use logtank_os::mailbox::Mailbox;
use logtank_os::ring::{RingConfig, RingReport, ShardExit, ShardLinks, run_shard};
use tokio::sync::mpsc::UnboundedSender;

use super::events::HostEvent;
use super::handles::Handles;
use super::machine::AppendPath;
use super::placement::Placement;
use super::thread::Thread;
use crate::config::{Settings, Sync};

/// A shard's number and what it says.
pub(super) type FromShard = (ShardId, ShardEvent);

/// One shard, before and while it runs.
#[derive(Clone, Debug)]
pub(super) struct Shard {
    pub(super) id: ShardId,
    pub(super) mailbox: Mailbox,
    pub(super) metrics: Arc<ShardMetrics>,
}

/// As many shards as the placement has.
///
/// # Errors
/// If no mailbox can be made.
pub(super) fn create(placement: &Placement) -> anyhow::Result<Vec<Shard>> {
    let one = |number: usize| {
        let id = ShardId(u16::try_from(number).context("too many shards")?);
        Ok(Shard { id, mailbox: Mailbox::new()?, metrics: Arc::default() })
    };
    (0..placement.shards()).map(one).collect()
}

fn config(
    settings: &Settings,
    shard: ShardId,
    shards: usize,
    append: AppendPath,
) -> (ShardConfig, RingConfig) {
    // The acceptor spreads them evenly.
    let mut limits = settings.limits.clone();
    limits.connections_max = settings.limits.connections_max.div_ceil(shards);
    let mut config = ShardConfig::new(shard, limits);
    config.writer.sync = match settings.sync {
        Sync::Interval(interval) => SyncMode::Interval(interval),
        Sync::Always => SyncMode::Always,
    };
    config.writer.append = append.mode;
    config.writer.epoch_max_age = settings.epoch_max_age;
    config.message_timeout = settings.message_timeout;
    config.idle_timeout = settings.idle_timeout;
    let ring = RingConfig {
        write_path: append.write,
        busy_poll: settings.busy_poll,
        tls: settings.tls.of("writer").map(|tls| tls.config().clone()),
        ..RingConfig::default()
    };
    (config, ring)
}

/// What the shards have of the raw log.
pub(super) struct ToRawLog {
    /// Hands out positions.
    pub(super) sequencer: Arc<Sequencer>,
    /// To the raw log's thread.
    pub(super) events: UnboundedSender<FromShard>,
}

/// Starts every shard.
///
/// # Errors
/// If a thread can't be started.
pub(super) fn start(
    shards: &[Shard],
    settings: &Settings,
    append: AppendPath,
    raw_log: &ToRawLog,
    handles: &Handles,
) -> anyhow::Result<()> {
    for shard in shards {
        let (config, ring) = config(settings, shard.id, shards.len(), append);
        let others = shards.iter().filter(|other| other.id != shard.id);
        let links = ShardLinks {
            sequencer: raw_log.sequencer.clone(),
            ledger: handles.shared.ledger.clone(),
            metrics: shard.metrics.clone(),
            mailbox: shard.mailbox.clone(),
            peers: others.map(|other| other.mailbox.clone()).collect(),
            signal: Some(handles.signal.shard(usize::from(shard.id.0))),
        };
        let id = shard.id;
        let (to_raw_log, to_host) = (raw_log.events.clone(), handles.events.clone());
        handles.spawn(Thread::Shard(id), move || {
            let mut say = |event: ShardEvent| {
                if let ShardEvent::Fatal { what } = &event {
                    to_host.send(HostEvent::Fatal(what.clone()));
                }
                // The raw log's thread outlives the shards; if it failed, the host is about to stop.
                let _ = to_raw_log.send((id, event));
            };
            let exit = run_shard(config, &ring, links, &mut |report| tell(id, report), &mut say);
            match exit.context("the shard's ring can't be set up")? {
                ShardExit::Done => Ok(()),
                ShardExit::Fatal(what) => {
                    to_host.send(HostEvent::Fatal(what.clone()));
                    bail!("{what}")
                }
            }
        })?;
    }
    Ok(())
}

fn tell(shard: ShardId, report: RingReport) {
    tracing::debug!(%shard, ?report, "the shard's ring is set up");
}
