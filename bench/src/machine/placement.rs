use std::io::Result;

use logtank_os::affinity;

/// Which processor serves and which one loads, so that neither takes time from the other.
#[derive(Clone, Debug)]
pub(crate) struct Placement {
    /// The server's.
    pub(crate) server: usize,
    /// The load generator's; the server's where there is only one.
    pub(crate) client: usize,
    /// All that this process may run on.
    pub(crate) all: Vec<usize>,
}

impl Placement {
    /// The first processor serves and the last one loads.
    pub(crate) fn choose() -> Result<Self> {
        let all = affinity::allowed_cpus()?;
        let last = *all.last().expect("a running thread has a processor");
        Ok(Self { server: all[0], client: last, all })
    }

    /// Runs `work` on a thread that stays on these processors, as do the processes that it starts.
    pub(crate) fn on<T: Send>(cpus: &[usize], work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                affinity::pin_to(cpus)?;
                work()
            });
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}
