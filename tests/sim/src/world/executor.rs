//! Runs tasks one at a time. Which of those that can go on does so is drawn from the seed; when none can, virtual
//! time jumps to the next one that sleeps.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use super::Trace;
use crate::random::Random;

/// What a task belongs to, and ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// The process under test: a crash ends it.
    Host,
    /// Clients, and whoever causes the faults.
    World,
}

struct Task {
    group: Group,
    /// Away while it is polled.
    future: Option<Pin<Box<dyn Future<Output = ()>>>>,
    waker: Arc<TaskWaker>,
}

struct TaskWaker {
    id: u64,
    queued: AtomicBool,
    ready: Arc<Mutex<Vec<u64>>>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        if !self.queued.swap(true, Ordering::Relaxed) {
            self.ready.lock().expect("nobody panics while holding it").push(self.id);
        }
    }
}

/// The executor and its clock.
#[derive(Clone)]
pub struct Executor(Rc<Inner>);

struct Inner {
    now: Cell<u64>,
    numbers: Cell<u64>,
    tasks: RefCell<BTreeMap<u64, Task>>,
    ready: Arc<Mutex<Vec<u64>>>,
    timers: RefCell<BTreeMap<(u64, u64), Waker>>,
    random: Random,
    trace: Trace,
}

impl Executor {
    /// Without tasks, at the beginning of time.
    #[must_use]
    pub fn new(seed: u64, trace: Trace) -> Self {
        Self(Rc::new(Inner {
            now: Cell::new(1_000_000_000),
            numbers: Cell::new(0),
            tasks: RefCell::default(),
            ready: Arc::default(),
            timers: RefCell::default(),
            random: Random::new(seed, "executor"),
            trace,
        }))
    }

    /// Nanoseconds of virtual time.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.0.now.get()
    }

    /// The record of the run.
    #[must_use]
    pub fn trace(&self) -> &Trace {
        &self.0.trace
    }

    fn number(&self) -> u64 {
        self.0.numbers.set(self.0.numbers.get() + 1);
        self.0.numbers.get()
    }

    /// Begins a task.
    pub fn spawn(&self, group: Group, future: impl Future<Output = ()> + 'static) {
        let id = self.number();
        let waker = Arc::new(TaskWaker { id, queued: AtomicBool::new(false), ready: self.0.ready.clone() });
        let task = Task { group, future: Some(Box::pin(future)), waker: waker.clone() };
        self.0.tasks.borrow_mut().insert(id, task);
        waker.wake();
    }

    /// Ends all tasks of a group where they are.
    pub fn kill(&self, group: Group) {
        let all = std::mem::take(&mut *self.0.tasks.borrow_mut());
        let (killed, mut kept): (BTreeMap<_, _>, BTreeMap<_, _>) =
            all.into_iter().partition(|(_, task)| task.group == group);
        drop(killed);
        self.0.tasks.borrow_mut().append(&mut kept);
    }

    /// Completes at a time, in nanoseconds.
    #[must_use]
    pub fn sleep_until(&self, until: u64) -> Sleep {
        Sleep { executor: self.clone(), until, timer: None }
    }

    /// Completes after this long.
    #[must_use]
    pub fn sleep(&self, duration: Duration) -> Sleep {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.sleep_until(self.now().saturating_add(nanos))
    }

    /// Lets one task go on, or time pass. `false` if nothing will ever happen any more.
    #[must_use]
    pub fn step(&self) -> bool {
        let next = {
            let mut ready = self.0.ready.lock().expect("nobody panics while holding it");
            let place = self.0.random.place(ready.len());
            if ready.is_empty() { None } else { Some(ready.swap_remove(place)) }
        };
        match next {
            Some(id) => self.poll(id),
            None => {
                let Some(((until, _), waker)) = self.0.timers.borrow_mut().pop_first() else { return false };
                if until > self.now() {
                    self.0.now.set(until);
                    self.0.trace.at(until);
                }
                waker.wake();
            }
        }
        true
    }

    fn poll(&self, id: u64) {
        let taken = {
            let mut tasks = self.0.tasks.borrow_mut();
            let Some(task) = tasks.get_mut(&id) else { return };
            task.waker.queued.store(false, Ordering::Relaxed);
            task.future.take().map(|future| (future, task.waker.clone()))
        };
        let Some((mut future, waker)) = taken else { return };
        self.0.trace.note("run", "", id);
        let waker = Waker::from(waker);
        let done = future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
        let mut tasks = self.0.tasks.borrow_mut();
        if done {
            tasks.remove(&id);
        } else if let Some(task) = tasks.get_mut(&id) {
            task.future = Some(future);
            return;
        }
        // Dropped outside, since that may end other things.
        drop(tasks);
        drop(future);
    }
}

/// A sleep in virtual time.
pub struct Sleep {
    executor: Executor,
    until: u64,
    timer: Option<(u64, u64)>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if let Some(timer) = self.timer.take() {
            self.executor.0.timers.borrow_mut().remove(&timer);
        }
        if self.executor.now() >= self.until {
            return Poll::Ready(());
        }
        let timer = (self.until, self.executor.number());
        self.executor.0.timers.borrow_mut().insert(timer, context.waker().clone());
        self.timer = Some(timer);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(timer) = self.timer {
            self.executor.0.timers.borrow_mut().remove(&timer);
        }
    }
}
