use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use logtank_engine::time::{Clock, MonoNanos, Now, WallMillis};

use super::Executor;

/// When the wall clock of a simulation starts: some day in November 2026.
const START_MILLIS: i64 = 1_795_343_512_642;

/// Both clocks of the host, in virtual time.
#[derive(Clone)]
pub struct SimClock {
    executor: Executor,
    // The monotonic clock starts anew with the machine, the wall clock is off by what it was set to.
    wall_offset: Rc<Cell<i64>>,
}

impl SimClock {
    /// Right, until it is stepped.
    #[must_use]
    pub fn new(executor: Executor) -> Self {
        Self { executor, wall_offset: Rc::default() }
    }

    /// Sets the wall clock ahead, or back.
    pub fn step_wall(&self, millis: i64) {
        self.wall_offset.set(self.wall_offset.get() + millis);
    }
}

impl Clock for SimClock {
    fn now(&self) -> Now {
        let mono = self.executor.now();
        let millis = i64::try_from(mono / 1_000_000).expect("a simulation is short");
        let wall = START_MILLIS + millis + self.wall_offset.get();
        Now { wall: WallMillis(u64::try_from(wall).unwrap_or(0)), mono: MonoNanos(mono) }
    }

    async fn sleep(&self, duration: Duration) {
        self.executor.sleep(duration).await;
    }
}
