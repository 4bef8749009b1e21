//! Two clocks, never mixed: the wall clock names and stamps, the monotonic clock measures and times out.

use std::fmt;
use std::ops::Add;
use std::time::Duration;

/// Milliseconds since 1970-01-01 UTC by the wall clock, which may step back or ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct WallMillis(pub u64);

/// Nanoseconds by a clock that never steps; only differences mean anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct MonoNanos(pub u64);

/// What time it is, by both clocks, as the caller read them once for this turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Now {
    /// The wall clock.
    pub wall: WallMillis,
    /// The monotonic clock.
    pub mono: MonoNanos,
}

impl MonoNanos {
    /// Time passed since `earlier`; zero if `earlier` lies ahead.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for MonoNanos {
    type Output = Self;

    fn add(self, rhs: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(rhs.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl fmt::Display for WallMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Reads both clocks. Implemented by the kernel's clocks in production and by virtual time in simulation.
pub trait Clock: Clone + 'static {
    /// What time it is.
    fn now(&self) -> Now;
    /// Completes when `duration` has passed.
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()>;
}
