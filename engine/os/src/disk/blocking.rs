use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use logtank_engine::error::{DiskError, Verb};
use logtank_engine::io::DiskResult;
use tokio::sync::{Semaphore, oneshot};

/// Helper threads at once; further calls wait.
static ROOM: Semaphore = Semaphore::const_new(64);

type Job = Box<dyn FnOnce() + Send>;

/// Runs a system call that io_uring does not have on a helper thread. If the future is dropped, the call is made
/// nevertheless: so `call` owns what it works on.
pub(super) async fn blocking<T: Send + 'static>(
    verb: Verb,
    path: &Path,
    call: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> DiskResult<T> {
    // One of its own, not one of tokio's: those are a panic where the system has no thread to give.
    let helper = |job: Job| std::thread::Builder::new().name("disk-call".to_owned()).spawn(job).map(drop);
    run(helper, call).await.map_err(|source| DiskError::new(verb, path, source))
}

/// Has `helper` make the call, or makes it here where there is no helper.
async fn run<T: Send + 'static>(
    helper: impl FnOnce(Job) -> io::Result<()>,
    call: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let room = ROOM.acquire().await.map_err(io::Error::other)?;
    let (answer, answered) = oneshot::channel();
    let call = Arc::new(Mutex::new(Some(call)));
    let theirs = call.clone();
    let job = move || {
        let _room = room;
        let call = theirs.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Nobody waits for it any more if the future was dropped.
        let _ = call.map(|call| answer.send(call()));
    };
    if helper(Box::new(job)).is_err() {
        // Late, since nothing else of this thread goes on meanwhile, but not in vain.
        let call = call.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(call) = call {
            return call();
        }
    }
    answered.await.unwrap_or_else(|_| Err(io::Error::other("the helper thread of a system call broke")))
}

#[cfg(test)]
mod tests {
    use std::thread::ThreadId;

    use super::*;

    async fn made_by(helper: impl FnOnce(Job) -> io::Result<()>) -> ThreadId {
        run(helper, || Ok(std::thread::current().id())).await.unwrap()
    }

    #[test]
    fn without_a_helper_the_call_is_made_all_the_same() {
        let own = std::thread::current().id();
        crate::disk::block_on(async {
            for _ in 0..100 {
                let refused = |_: Job| Err(io::Error::from_raw_os_error(libc::EAGAIN));
                assert_eq!(made_by(refused).await, own);
            }
            let helper = |job: Job| std::thread::Builder::new().spawn(job).map(drop);
            assert_ne!(made_by(helper).await, own);
        })
        .unwrap();
    }

    #[test]
    fn a_call_is_made_also_if_nobody_waits_for_it() {
        let (made, seen) = std::sync::mpsc::channel();
        crate::disk::block_on(async {
            let call = blocking(Verb::Stat, Path::new("/"), move || {
                made.send(()).map_err(|_| io::Error::other("gone"))
            });
            // Begun, and dropped.
            drop(tokio::time::timeout(std::time::Duration::ZERO, call).await);
        })
        .unwrap();
        seen.recv_timeout(std::time::Duration::from_secs(10)).unwrap();
    }
}
