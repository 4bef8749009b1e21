//! Doing two things at once, each of them counted, on any executor.

use std::cell::Cell;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use futures_lite::future::or;
use tokio::sync::Notify;

use crate::jobs::stats::Turns;

/// Completes when both have. Each continues only when something that it waits for has happened, and each such turn is
/// counted: a count that stands still is one that hangs. One that has ended while the other works on does not hang: it
/// turns whenever `rest` has passed.
pub(super) async fn both<R: Future<Output = ()>>(
    first: impl Future<Output = ()>,
    second: impl Future<Output = ()>,
    turns: [&Turns; 2],
    rest: impl Fn() -> R,
) {
    let ended = Cell::new(0);
    let all_ended = Notify::new();
    let first = then_rest(first, &ended, &all_ended, &rest);
    let second = then_rest(second, &ended, &all_ended, &rest);
    let mut futures: [Pin<&mut dyn Future<Output = ()>>; 2] = [pin!(first), pin!(second)];
    let branches: [Arc<Branch>; 2] = [Arc::default(), Arc::default()];
    let mut done = [false; 2];
    std::future::poll_fn(|context| {
        for (place, branch) in branches.iter().enumerate() {
            if done[place] || !branch.is_due(context.waker()) {
                continue;
            }
            turns[place].add(1);
            let waker = Waker::from(branch.clone());
            done[place] = futures[place].as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
        }
        if done == [true; 2] { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// Runs it, then rests again and again until the other one has ended, too.
async fn then_rest<R: Future<Output = ()>>(
    future: impl Future<Output = ()>,
    ended: &Cell<usize>,
    all_ended: &Notify,
    rest: &impl Fn() -> R,
) {
    future.await;
    ended.set(ended.get() + 1);
    all_ended.notify_one();
    while ended.get() < 2 {
        or(rest(), all_ended.notified()).await;
    }
}

/// The same future; each time that it continues counts.
pub(super) async fn counted<T>(future: impl Future<Output = T>, turns: &Turns) -> T {
    let mut future = pin!(future);
    std::future::poll_fn(|context| {
        turns.add(1);
        future.as_mut().poll(context)
    })
    .await
}

/// Whether one of two futures was woken.
struct Branch {
    woken: AtomicBool,
    parent: Mutex<Waker>,
}

impl Default for Branch {
    fn default() -> Self {
        Self { woken: AtomicBool::new(true), parent: Mutex::new(Waker::noop().clone()) }
    }
}

impl Branch {
    fn is_due(&self, parent: &Waker) -> bool {
        // Before the flag is taken: whoever sets it from here on wakes this parent.
        self.parent.lock().expect("nobody panics while holding it").clone_from(parent);
        self.woken.swap(false, Ordering::AcqRel)
    }
}

impl Wake for Branch {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.parent.lock().expect("nobody panics while holding it").wake_by_ref();
    }
}

#[cfg(test)]
mod tests {
    use futures_lite::future::yield_now;

    use super::*;
    use crate::testing::run;

    #[test]
    fn only_the_one_that_is_woken_turns() {
        let turns = [Turns::default(), Turns::default()];
        let left = std::cell::Cell::new(5);
        let waits = tokio::sync::Notify::new();
        let busy = async {
            while left.get() > 0 {
                left.set(left.get() - 1);
                yield_now().await;
            }
            assert_eq!(turns[1].get(), 1, "it waited all the time");
            waits.notify_one();
        };
        run(both(busy, waits.notified(), [&turns[0], &turns[1]], std::future::pending::<()>));
        // The first turns once more, since the other has ended.
        assert_eq!([turns[0].get(), turns[1].get()], [7, 2]);
    }

    #[test]
    fn one_that_has_ended_turns_while_the_other_works_on() {
        let turns = [Turns::default(), Turns::default()];
        let works = async {
            while turns[0].get() < 50 {
                yield_now().await;
            }
        };
        run(both(async {}, works, [&turns[0], &turns[1]], yield_now));
        assert!(turns[1].get() >= 49, "{turns:?}");
        run(both(async {}, async {}, [&turns[0], &turns[1]], std::future::pending::<()>));
    }
}
