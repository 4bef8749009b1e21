use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// Runs a future that never really waits, as over [`super::MemDisk`] none does.
///
/// # Panics
/// If it does wait.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    // A job may yield to others now and then; nothing else is going on here, so it is polled again.
    for _ in 0..1_000_000 {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return value;
        }
    }
    panic!("the future waits for something that nobody does")
}
