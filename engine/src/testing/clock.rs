use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use crate::time::{Clock, MonoNanos, Now, WallMillis};

/// A clock that shows what the test sets; sleeping moves it on at once.
#[derive(Clone, Debug)]
pub struct ManualClock(Rc<Cell<Now>>);

impl ManualClock {
    /// Shows `wall`.
    #[must_use]
    pub fn at(wall: u64) -> Self {
        Self(Rc::new(Cell::new(Now { wall: WallMillis(wall), mono: MonoNanos(1) })))
    }

    /// Moves both clocks on.
    pub fn advance(&self, by: Duration) {
        let now = self.0.get();
        let millis = u64::try_from(by.as_millis()).expect("tests are short");
        self.0.set(Now { wall: WallMillis(now.wall.0 + millis), mono: now.mono + by });
    }

    /// Steps the wall clock, also back.
    pub fn set_wall(&self, wall: u64) {
        self.0.set(Now { wall: WallMillis(wall), ..self.0.get() });
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Now {
        self.0.get()
    }

    async fn sleep(&self, duration: Duration) {
        self.advance(duration);
    }
}
