//! Schedules: which of several shards continues at each access to what they share.

use std::panic::{AssertUnwindSafe, catch_unwind};

use shuttle::scheduler::{Schedule, Scheduler, Task, TaskId};
use shuttle::{Config, FailurePersistence, Runner};

use crate::testing::Choices;

/// One step among so many begins a long pause of whoever took it.
const PAUSE_ONE_IN: u64 = 16;
/// Steps of the others while one pauses, at most.
const PAUSE_STEPS: u64 = 200;

/// One schedule, as a seed decides it. At each step one of those that can continue does so; now and then one pauses where it
/// stands while the others take many steps.
struct Drawn {
    seed: u64,
    choices: Choices,
    /// Whether the schedule is over, since there is but one.
    is_done: bool,
    /// Who pauses, and for how many more steps.
    paused: Option<TaskId>,
    steps: u64,
}

impl Scheduler for Drawn {
    fn new_execution(&mut self) -> Option<Schedule> {
        let begins = !std::mem::replace(&mut self.is_done, true);
        begins.then(|| Schedule::new(self.seed))
    }

    fn next_task(&mut self, runnable: &[&Task], current: Option<TaskId>, _yields: bool) -> Option<TaskId> {
        if self.steps > 0 {
            self.steps -= 1;
        } else if self.choices.below(PAUSE_ONE_IN) == 0 {
            (self.paused, self.steps) = (current, self.choices.below(PAUSE_STEPS));
        } else {
            self.paused = None;
        }
        let others = || runnable.iter().map(|task| task.id()).filter(|&id| Some(id) != self.paused);
        let count = others().count() as u64;
        if count == 0 {
            return self.paused;
        }
        let place = usize::try_from(self.choices.below(count)).expect("a place fits");
        others().nth(place)
    }

    fn next_u64(&mut self) -> u64 {
        self.choices.below(u64::MAX)
    }
}

/// Runs the scenario under the schedule of this seed. Its threads are those of [`shuttle::thread`]; they run on the caller's,
/// one at a time.
///
/// # Errors
/// What it panicked with.
pub(crate) fn run(seed: u64, scenario: impl Fn() + Send + Sync + 'static) -> Result<(), String> {
    let mut config = Config::new();
    config.stack_size = 1 << 20;
    config.failure_persistence = FailurePersistence::None;
    config.silence_warnings = true;
    let drawn = Drawn { seed, choices: Choices(seed), is_done: false, paused: None, steps: 0 };
    let runner = Runner::new(drawn, config);
    let ended = catch_unwind(AssertUnwindSafe(|| runner.run(scenario)));
    ended.map(drop).map_err(|panic| match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(other) => other
            .downcast::<&str>()
            .map_or_else(|_| "a panic without text".to_owned(), |text| text.to_string()),
    })
}
