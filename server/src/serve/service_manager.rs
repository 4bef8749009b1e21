//! What systemd is told: that the host is ready, that it stops, and that its threads turn.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use logtank_os::mailbox::Mail;
use sd_notify::NotifyState;

use super::shards::Shard;
use crate::metrics::{Heartbeats, IDLE_MAX};

/// Looks in one period of the watchdog: one that comes late is no reason to be killed.
const LOOKS: u32 = 4;

/// The host serves.
pub(super) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The host was asked to end; the unit's stop timeout runs from here, and the watchdog is quiet.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Without a service manager nobody is told, which is no error.
fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the service manager can't be told; check NotifyAccess= in the unit");
    }
}

/// How often a sign of life is wanted; `None` if nobody waits for one.
pub(super) fn watchdog_period() -> Option<Duration> {
    sd_notify::watchdog_enabled()
}

/// Looks at the signs of life of all threads until the host stops, and gives the service manager one, each `period` or
/// sooner, for as long as none is stuck. Shards are woken for that: idle ones would sleep.
pub(super) fn watch(
    shards: &[Shard],
    heartbeats: &Heartbeats,
    period: Option<Duration>,
    stopping: &AtomicBool,
) {
    let mut signalled: Option<Instant> = None;
    while !stopping.load(Ordering::Acquire) {
        for shard in shards {
            // It wakes the shard and says nothing. Only connections can find a mailbox full.
            let _ = shard.mailbox.post(Mail::EpochClosed);
        }
        // The process ends while this sleeps: nobody waits for this thread.
        std::thread::sleep(IDLE_MAX.min(period.unwrap_or(IDLE_MAX) / LOOKS));
        let any_stuck = heartbeats.look(Instant::now());
        if let Some(period) = period
            && !any_stuck
            && signalled.is_none_or(|at| at.elapsed() >= period / LOOKS)
        {
            signalled = Some(Instant::now());
            tell(&[NotifyState::Watchdog]);
        }
    }
}
