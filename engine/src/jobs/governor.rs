//! How much background work may ask of a drive while appends are using it.
//!
//! I/O priority alone does not protect appends: with many background requests in the drive's own queue, an
//! append waits behind them whatever its class. What does help is a background that limits itself. So each
//! background transfer asks here first. While no append was seen for a while the drive is the background's
//! alone. Otherwise a token bucket bounds its rate and a counter its depth: both are cut as soon as appends
//! take longer than they do when it is calm, and grow back step by step, but never below a minimum, so that
//! dealing goes on under any load.
//!
//! ```text
//!   no append for idle_after      depth_max at once, chunk_bytes_idle each, no rate
//!   appends as quick as in calm   every recover_every: rate +1/8, depth +1
//!   appends slower than that      every react_every:   rate halved, depth 1
//! ```
//!
//! What "calm" is gets learned: downwards whenever appends are quicker; upwards only while the background is at
//! its minimum, since only then a slow append is not its doing.
//!
//! Pure policy: time and the latency of appends are arguments.

use std::time::Duration;

use crate::left_out::or_left_out;
use crate::limits::{APPEND_SLOW_AFTER, BACKGROUND_RATE_MIN};
use crate::time::MonoNanos;

/// What appends feel, at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppendLoad {
    /// Recent latency of appends, submission to completion; or the age of the oldest one in flight, if that is
    /// greater.
    pub latency: Duration,
    /// Time since the last append completed; zero while one is in flight, [`Duration::MAX`] if there was none.
    pub quiet_for: Duration,
}

impl AppendLoad {
    /// No append, ever.
    pub const NONE: Self = Self { latency: Duration::ZERO, quiet_for: Duration::MAX };
}

/// The numbers that a [`Governor`] works with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Bytes a second that the background may always move.
    pub rate_bytes_min: u64,
    /// Bytes a second that it moves at most beside appends.
    pub rate_bytes_max: u64,
    /// Transfers in flight at most.
    pub depth_max: u32,
    /// Length of one transfer at most, beside appends.
    pub chunk_bytes_shared: usize,
    /// Length of one transfer at most, when the drive is otherwise idle.
    pub chunk_bytes_idle: usize,
    /// The drive counts as otherwise idle when no append was seen for this long.
    pub idle_after: Duration,
    /// Appends are slow when they take longer than this many times what they take in calm.
    pub slow_factor: u32,
    /// Below this latency they are never slow.
    pub slow_min: Duration,
    /// Time between two cuts, for the first one to show its effect.
    pub react_every: Duration,
    /// Time between two steps of recovery.
    pub recover_every: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            rate_bytes_min: BACKGROUND_RATE_MIN,
            rate_bytes_max: 2 << 30,
            depth_max: 32,
            chunk_bytes_shared: 256 << 10,
            chunk_bytes_idle: 4 << 20,
            idle_after: Duration::from_millis(500),
            slow_factor: 3,
            slow_min: APPEND_SLOW_AFTER,
            react_every: Duration::from_millis(5),
            recover_every: Duration::from_millis(10),
        }
    }
}

/// Answer to [`Governor::request`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Transfer this many bytes now, then call [`Governor::finished`] once.
    Go {
        /// At most as many as were wanted; at least one.
        bytes: usize,
    },
    /// Ask again after this time.
    Wait(Duration),
    /// Ask again when a transfer has finished.
    AwaitFinished,
}

/// Admits the transfers of the background, see the module.
#[derive(Debug)]
pub struct Governor {
    policy: Policy,
    shared: bool,
    in_flight: u32,
    rate: u64,
    depth: u32,
    // Bytes that may go now; negative after a transfer that was longer than what had gathered.
    tokens: i64,
    calm: Duration,
    seen: Option<MonoNanos>,
    changed: MonoNanos,
}

impl Governor {
    /// With nothing in flight, and no idea of the drive yet.
    ///
    /// # Panics
    /// If a bound of the policy is zero, or its minimum rate greater than its maximum.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        assert!(policy.rate_bytes_min > 0 && policy.depth_max > 0, "the background must never starve");
        assert!(
            policy.chunk_bytes_shared > 0 && policy.chunk_bytes_idle > 0,
            "a transfer has at least one byte"
        );
        assert!(policy.rate_bytes_min <= policy.rate_bytes_max, "minimum rate above the maximum");
        Self {
            shared: false,
            in_flight: 0,
            rate: policy.rate_bytes_max,
            depth: policy.depth_max,
            tokens: 0,
            calm: policy.slow_min / policy.slow_factor.max(1),
            seen: None,
            changed: MonoNanos::default(),
            policy,
        }
    }

    /// May a transfer of `bytes` begin?
    ///
    /// # Panics
    /// If `bytes` is zero.
    pub fn request(&mut self, now: MonoNanos, load: AppendLoad, bytes: usize) -> Decision {
        assert!(bytes > 0, "an empty transfer needs no leave");
        self.observe(now, load);
        let depth = if self.shared { self.depth } else { self.policy.depth_max };
        if self.in_flight >= depth {
            return Decision::AwaitFinished;
        }
        let bytes = if self.shared {
            if self.tokens < 0 {
                return Decision::Wait(self.time_to_gather(self.tokens.unsigned_abs()));
            }
            let bytes = bytes.min(self.policy.chunk_bytes_shared);
            self.tokens -= i64::try_from(bytes).expect("a chunk is far shorter");
            bytes
        } else {
            bytes.min(self.policy.chunk_bytes_idle)
        };
        self.in_flight += 1;
        Decision::Go { bytes }
    }

    /// A transfer that was let go has finished, or was given up; `unused` of its bytes were not transferred (the
    /// file ended before).
    ///
    /// # Panics
    /// If none is in flight.
    pub fn finished(&mut self, unused: usize) {
        assert!(self.in_flight > 0, "finished more often than begun");
        self.in_flight -= 1;
        if self.shared {
            // What is given back is no ground for more than could have been gathered.
            let unused = i64::try_from(unused).unwrap_or(i64::MAX);
            self.tokens = self.tokens.saturating_add(unused).min(self.tokens_max());
        }
    }

    /// Bytes a second that may be moved now; `None` while the drive is otherwise idle.
    #[must_use]
    pub fn rate(&self) -> Option<u64> {
        self.shared.then_some(self.rate)
    }

    fn observe(&mut self, now: MonoNanos, load: AppendLoad) {
        let passed = self.seen.map_or(Duration::ZERO, |seen| now.since(seen));
        self.seen = Some(now);
        let was_shared = self.shared;
        self.shared = or_left_out!(Governor, load.quiet_for < self.policy.idle_after, false);
        if !self.shared {
            return;
        }
        if !was_shared {
            // Nothing was gathered while nothing was counted.
            self.tokens = 0;
        }
        self.gather(passed);
        let slow_beyond = (self.calm * self.policy.slow_factor).max(self.policy.slow_min);
        if load.latency > slow_beyond {
            if self.rate == self.policy.rate_bytes_min {
                self.calm = load.latency.min(self.calm + share_of(self.calm, passed, Duration::from_secs(1)));
            }
            if now.since(self.changed) >= self.policy.react_every {
                self.changed = now;
                self.rate = (self.rate / 2).max(self.policy.rate_bytes_min);
                self.depth = 1;
                self.tokens = self.tokens.min(0);
            }
        } else {
            if let Some(quicker) = self.calm.checked_sub(load.latency) {
                self.calm -= share_of(quicker, passed, Duration::from_secs(10));
            }
            if now.since(self.changed) >= self.policy.recover_every {
                self.changed = now;
                self.rate = (self.rate + self.rate / 8 + 1).min(self.policy.rate_bytes_max);
                self.depth = (self.depth + 1).min(self.policy.depth_max);
            }
        }
    }

    fn gather(&mut self, passed: Duration) {
        let gathered = u128::from(self.rate) * passed.as_nanos() / 1_000_000_000;
        let gathered = i64::try_from(gathered).unwrap_or(i64::MAX);
        self.tokens = self.tokens.saturating_add(gathered).min(self.tokens_max());
    }

    /// What is not used within 20 ms is lost, so that a pause is not followed by a flood.
    fn tokens_max(&self) -> i64 {
        i64::try_from((self.rate / 50).max(self.policy.chunk_bytes_shared as u64)).unwrap_or(i64::MAX)
    }

    fn time_to_gather(&self, bytes: u64) -> Duration {
        let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(self.rate);
        // A little more, so that rounding does not make the caller ask twice.
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX).saturating_add(1_000))
    }
}

/// `of`, times how much of `period` has passed (all of it at most).
fn share_of(of: Duration, passed: Duration, period: Duration) -> Duration {
    of.mul_f64((passed.as_secs_f64() / period.as_secs_f64()).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn load(latency_micros: u64) -> AppendLoad {
        AppendLoad { latency: Duration::from_micros(latency_micros), quiet_for: Duration::ZERO }
    }

    /// A background that always wants more, beside appends, in virtual time.
    struct World {
        governor: Governor,
        now: MonoNanos,
    }

    impl World {
        fn new() -> Self {
            Self { governor: Governor::new(Policy::default()), now: MonoNanos(1) }
        }

        /// Goes on for `duration`, one transfer after the other on a drive that moves 1 GiB a second, while
        /// appends take what `latency_micros` says of the governor's rate. Returns the bytes moved.
        fn run(&mut self, duration: Duration, mut latency_micros: impl FnMut(u64) -> u64) -> u64 {
            let end = self.now + duration;
            let mut moved = 0;
            while self.now < end {
                let load = load(latency_micros(self.governor.rate));
                match self.governor.request(self.now, load, 64 << 20) {
                    Decision::Go { bytes } => {
                        moved += bytes as u64;
                        self.now = self.now + Duration::from_nanos(bytes as u64 * 1_000_000_000 / (1 << 30));
                        self.governor.finished(0);
                    }
                    Decision::Wait(duration) => {
                        assert!(duration <= Duration::from_millis(50), "a long wait is blind: {duration:?}");
                        self.now = self.now + duration;
                    }
                    Decision::AwaitFinished => panic!("nothing is in flight"),
                }
            }
            moved
        }
    }

    #[test]
    fn an_idle_drive_is_the_backgrounds_alone() {
        let mut governor = Governor::new(Policy::default());
        for _ in 0..32 {
            let decision = governor.request(MonoNanos(1), AppendLoad::NONE, 100 << 20);
            assert_eq!(decision, Decision::Go { bytes: 4 << 20 });
        }
        assert_eq!(governor.request(MonoNanos(1), AppendLoad::NONE, 1), Decision::AwaitFinished);
        governor.finished(0);
        assert_eq!(governor.request(MonoNanos(1), AppendLoad::NONE, 1), Decision::Go { bytes: 1 });
        assert_eq!(governor.rate(), None);
    }

    #[test]
    fn it_gives_way_as_soon_as_appends_slow_down() {
        let mut world = World::new();
        let calm = world.run(Duration::from_secs(1), |_| 90);
        assert!(calm > 900 * MIB, "as quick as the drive while appends don't mind: {calm}");
        world.run(Duration::from_millis(1), |_| 20_000);
        assert_eq!(world.governor.rate(), Some(Policy::default().rate_bytes_max / 2), "at once");
        assert_eq!(world.governor.depth, 1);
        world.run(Duration::from_millis(100), |_| 20_000);
        assert!(world.governor.rate().unwrap() < 64 * MIB);
    }

    #[test]
    fn beside_appends_transfers_are_short_and_one_by_one_after_a_cut() {
        let mut governor = Governor::new(Policy::default());
        assert_eq!(
            governor.request(MonoNanos(1_000_000_000), load(9_000), 1 << 20),
            Decision::Go { bytes: 256 << 10 }
        );
        assert_eq!(governor.request(MonoNanos(1_000_000_000), load(9_000), 1 << 20), Decision::AwaitFinished);
    }

    #[test]
    fn it_recovers_step_by_step() {
        let mut world = World::new();
        world.run(Duration::from_millis(200), |_| 20_000);
        let low = world.governor.rate().unwrap();
        let mut before = low;
        for _ in 0..10 {
            world.run(Duration::from_millis(20), |_| 90);
            let rate = world.governor.rate().unwrap();
            assert!(rate > before && rate < before * 2, "{before} {rate}");
            before = rate;
        }
        world.run(Duration::from_secs(5), |_| 90);
        assert_eq!(world.governor.rate(), Some(Policy::default().rate_bytes_max));
    }

    #[test]
    fn it_never_starves() {
        let mut world = World::new();
        // Every cut counts as if the drive were ten times as slow as before, so that nothing is learned as calm.
        let mut latency = 1_000u64;
        let moved = world.run(Duration::from_secs(10), |_| {
            latency = latency.saturating_mul(2).min(1 << 40);
            latency
        });
        let least = 10 * Policy::default().rate_bytes_min;
        assert!(moved >= least * 9 / 10, "{moved} of {least}");
    }

    #[test]
    fn a_drive_that_is_slow_by_itself_is_learned() {
        let mut world = World::new();
        world.run(Duration::from_secs(2), |_| 8_000);
        assert_eq!(world.governor.rate(), Some(Policy::default().rate_bytes_min), "it may be our doing");
        world.run(Duration::from_secs(20), |_| 8_000);
        assert!(world.governor.rate().unwrap() > 500 * MIB, "it is not");
        // What was learned does not hide a real slowdown, and is unlearned when appends get quick.
        world.run(Duration::from_millis(100), |_| 100_000);
        assert!(world.governor.rate().unwrap() < 64 * MIB);
        world.run(Duration::from_secs(60), |_| 90);
        assert!(world.governor.calm < Duration::from_micros(200), "{:?}", world.governor.calm);
    }

    #[test]
    fn it_finds_the_rate_that_appends_bear() {
        let mut world = World::new();
        // Appends double at 200 MiB a second and get worse quickly.
        let drive = |rate: u64| 90 + 90 * (rate / MIB).pow(2) / (200 * 200);
        world.run(Duration::from_secs(2), drive);
        let (mut slow, mut asked) = (0u64, 0u64);
        let moved = world.run(Duration::from_secs(20), |rate| {
            asked += 1;
            slow += u64::from(drive(rate) > 270);
            drive(rate)
        });
        let rate = moved / 20 / MIB;
        assert!((100..350).contains(&rate), "{rate} MiB a second");
        assert!(slow * 5 < asked, "appends were slow {slow} of {asked} times");
    }

    #[test]
    fn after_a_pause_the_drive_is_idle_again_and_shared_as_soon_as_appends_resume() {
        let mut world = World::new();
        world.run(Duration::from_millis(500), |_| 20_000);
        let quiet = AppendLoad { latency: Duration::from_millis(20), quiet_for: Duration::from_millis(499) };
        world.governor.request(world.now, quiet, 1);
        world.governor.finished(0);
        assert!(world.governor.rate().is_some(), "not yet");
        let quiet = AppendLoad { quiet_for: Duration::from_millis(500), ..quiet };
        assert_eq!(world.governor.request(world.now, quiet, 8 << 20), Decision::Go { bytes: 4 << 20 });
        world.governor.finished(0);
        let rate = world.run(Duration::from_secs(1), |_| 20_000);
        assert!(rate < 32 * MIB, "it goes on with the rate that appends bore: {rate}");
    }

    #[test]
    fn what_was_not_transferred_is_given_back() {
        let policy = Policy { rate_bytes_max: 16 << 20, ..Policy::default() };
        let mut governor = Governor::new(policy);
        for _ in 0..100 {
            assert_eq!(governor.request(MonoNanos(1), load(9), 1 << 20), Decision::Go { bytes: 256 << 10 });
            governor.finished(256 << 10);
        }
        assert_eq!(governor.request(MonoNanos(1), load(9), 1 << 20), Decision::Go { bytes: 256 << 10 });
        governor.finished(0);
        assert!(matches!(governor.request(MonoNanos(1), load(9), 1), Decision::Wait(_)));
    }
}
