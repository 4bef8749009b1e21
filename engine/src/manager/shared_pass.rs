//! Answers that cost a pass over much data: one pass at a time, and one for all who asked before it began.

use std::cell::Cell;

use tokio::sync::Mutex;

/// One kind of pass. What it finds is the same for everybody who asks.
#[derive(Debug, Default)]
pub struct SharedPass<T> {
    /// Passes begun so far.
    begun: Cell<u64>,
    /// How many ask, and wait.
    asking: Cell<usize>,
    /// The number and outcome of the last pass, while others may wait for it.
    last: Mutex<Option<(u64, T)>>,
}

/// One that asks.
struct Asking<'a>(&'a Cell<usize>);

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl<T: Clone> SharedPass<T> {
    /// The outcome of a pass that began after this was called: `pass`, or that of another who asked meanwhile.
    ///
    /// # Errors
    /// Those of `pass`. Nobody else gets them.
    pub async fn get<E>(&self, pass: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let before = self.begun.get();
        self.asking.set(self.asking.get() + 1);
        let asking = Asking(&self.asking);
        let mut last = self.last.lock().await;
        let outcome = match &*last {
            Some((number, found)) if *number > before => Ok(found.clone()),
            _ => {
                let number = self.begun.get() + 1;
                self.begun.set(number);
                let outcome = pass.await;
                *last = outcome.as_ref().ok().map(|found| (number, found.clone()));
                outcome
            }
        };
        drop(asking);
        if self.asking.get() == 0 {
            *last = None;
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::pin::Pin;
    use std::rc::Rc;
    use std::task::{Context, Poll, Waker};

    use tokio::sync::Notify;

    use super::*;

    type Asked<'a> = Pin<Box<dyn Future<Output = Result<u32, &'static str>> + 'a>>;

    fn poll(future: &mut Asked<'_>) -> Poll<Result<u32, &'static str>> {
        future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn all_who_ask_during_a_pass_share_the_next_one() {
        let (shared, passes, gate) = (SharedPass::default(), Rc::new(Cell::new(0)), Notify::new());
        let ask = || -> Asked<'_> {
            let passes = passes.clone();
            let gate = &gate;
            Box::pin(shared.get(async move {
                passes.set(passes.get() + 1);
                let number = passes.get();
                gate.notified().await;
                Ok(number)
            }))
        };
        let mut first = ask();
        assert!(poll(&mut first).is_pending());
        // It may have passed already what they want to know.
        let mut others: Vec<_> = (0..100).map(|_| ask()).collect();
        others.iter_mut().for_each(|other| assert!(poll(other).is_pending()));
        gate.notify_one();
        assert_eq!(poll(&mut first), Poll::Ready(Ok(1)));
        drop(first);
        assert!(poll(&mut others[0]).is_pending(), "the second pass runs");
        gate.notify_one();
        for other in &mut others {
            assert_eq!(poll(other), Poll::Ready(Ok(2)));
        }
        drop(others);
        assert!(shared.last.try_lock().unwrap().is_none(), "nothing is kept for nobody");
        let mut later = ask();
        assert!(poll(&mut later).is_pending());
        gate.notify_one();
        assert_eq!(poll(&mut later), Poll::Ready(Ok(3)));
    }

    #[test]
    fn who_goes_or_fails_in_its_pass_leaves_it_to_the_next() {
        let (shared, log) = (SharedPass::default(), RefCell::new(Vec::new()));
        let never = Notify::new();
        let mut gone: Asked<'_> = Box::pin(shared.get(async {
            never.notified().await;
            Ok(1)
        }));
        assert!(poll(&mut gone).is_pending());
        let mut fails: Asked<'_> = Box::pin(shared.get(async { Err("the drive's") }));
        let mut last: Asked<'_> = Box::pin(shared.get(async {
            log.borrow_mut().push("pass");
            Ok(2)
        }));
        assert!(poll(&mut fails).is_pending() && poll(&mut last).is_pending());
        drop(gone);
        assert_eq!(poll(&mut fails), Poll::Ready(Err("the drive's")));
        assert_eq!(poll(&mut last), Poll::Ready(Ok(2)));
        assert_eq!(*log.borrow(), ["pass"]);
    }
}
