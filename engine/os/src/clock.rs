//! The kernel's clocks.

use std::time::Duration;

use logtank_engine::time::{Clock, MonoNanos, Now, WallMillis};
use rustix::time::{ClockId, Timespec, clock_gettime};

/// The kernel's clocks; sleeping needs a background runtime around it.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

/// What time it is. Two system calls that never enter the kernel, about 50 ns.
#[must_use]
pub fn now() -> Now {
    Now { wall: wall(), mono: mono() }
}

/// The wall clock.
#[must_use]
pub fn wall() -> WallMillis {
    WallMillis(nanos(clock_gettime(ClockId::Realtime)) / 1_000_000)
}

/// The monotonic clock; it does not count time in which the machine was suspended.
#[must_use]
pub fn mono() -> MonoNanos {
    MonoNanos(nanos(clock_gettime(ClockId::Monotonic)))
}

/// Zero for a time before 1970, which only a clock that was never set shows.
fn nanos(time: Timespec) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}

impl Clock for SystemClock {
    fn now(&self) -> Now {
        now()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn the_wall_clock_is_the_systems_and_the_monotonic_one_never_goes_back() {
        let system = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
        assert!(u128::from(now().wall.0).abs_diff(system) < 10_000);
        let first = mono();
        assert!(mono() >= first);
    }

    #[test]
    fn sleeping_lasts_at_least_as_long_as_asked() {
        crate::disk::block_on(async {
            let began = mono();
            SystemClock.sleep(Duration::from_millis(5)).await;
            assert!(mono().since(began) >= Duration::from_millis(5));
        })
        .unwrap();
    }
}
