//! What systemd is told: that the host is ready, that it stops, and that its shards turn.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use logtank_os::mailbox::Mail;
use sd_notify::NotifyState;

use super::shards::Shard;

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

/// Gives a sign of life as long as every shard turns, until the host stops. Each is woken for that: an idle one
/// would sleep.
pub(super) fn show_life(shards: &[Shard], period: Duration, stopping: &AtomicBool) {
    let turns = || -> Vec<u64> { shards.iter().map(|shard| shard.metrics.turns.get()).collect() };
    let mut before: Option<Vec<u64>> = None;
    let mut complained = false;
    while !stopping.load(Ordering::Acquire) {
        let now = turns();
        let stuck = before.as_deref().and_then(|before| stuck(before, &now));
        match stuck {
            None => {
                complained = false;
                tell(&[NotifyState::Watchdog]);
            }
            Some(shard) if !complained => {
                complained = true;
                tracing::error!(
                    shard,
                    "the shard has not turned for {}; if it stays so, the service manager starts the host again. Look at \
                     the drive (dmesg)",
                    humantime::format_duration(period / LOOKS)
                );
            }
            Some(_) => {}
        }
        before = Some(now);
        for shard in shards {
            // It wakes the shard and says nothing. Only connections can find a mailbox full.
            let _ = shard.mailbox.post(Mail::EpochClosed);
        }
        // The process ends while this sleeps: nobody waits for this thread.
        std::thread::sleep(period / LOOKS);
    }
}

/// The first that has not turned between two looks.
fn stuck(before: &[u64], now: &[u64]) -> Option<usize> {
    before.iter().zip(now).position(|(before, now)| before == now)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_shard_that_does_not_turn_is_found() {
        assert_eq!(super::stuck(&[1, 5], &[2, 6]), None);
        assert_eq!(super::stuck(&[1, 5], &[2, 5]), Some(1));
        assert_eq!(super::stuck(&[], &[]), None, "a process without shards");
    }
}
