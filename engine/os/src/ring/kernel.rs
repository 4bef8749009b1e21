//! The ring itself: set-up with what the kernel offers, queues, waiting.

use std::io;
use std::time::Duration;

use io_uring::types::{SubmitArgs, Timespec};
use io_uring::{CompletionQueue, IoUring, SubmissionQueue, Submitter, cqueue, squeue};

/// Submissions that fit between two entries to the kernel; more only cost another entry.
const SUBMISSIONS: u32 = 2048;
/// Completions that fit; more wait in the kernel.
const COMPLETIONS: u32 = 8192;

/// Sets up a ring for this thread; also whether completions are delivered only when the thread asks.
pub(super) fn build() -> io::Result<(IoUring, bool)> {
    let base = || {
        let mut builder = IoUring::builder();
        builder.dontfork().setup_clamp().setup_cqsize(COMPLETIONS).setup_submit_all();
        builder
    };
    // The flag tells in shared memory that there is work to run, so polling needs no system call.
    let deferred = base().setup_single_issuer().setup_defer_taskrun().setup_taskrun_flag().build(SUBMISSIONS);
    match deferred {
        Ok(ring) => Ok((ring, true)),
        // Before 6.1.
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
            Ok((base().setup_coop_taskrun().setup_taskrun_flag().build(SUBMISSIONS)?, false))
        }
        Err(error) => Err(error),
    }
}

/// A completion.
#[derive(Clone, Copy, Debug)]
pub(super) struct Completed {
    pub(super) user_data: u64,
    /// The system call's result: negative is an error's number.
    pub(super) result: i32,
    pub(super) flags: u32,
}

impl Completed {
    /// What the call returned, as a count.
    pub(super) fn count(self) -> io::Result<usize> {
        usize::try_from(self.result).map_err(|_| io::Error::from_raw_os_error(-self.result))
    }

    /// Whether the operation goes on.
    pub(super) fn more(self) -> bool {
        cqueue::more(self.flags)
    }

    /// The provided buffer that was used.
    pub(super) fn buffer(self) -> Option<u16> {
        cqueue::buffer_select(self.flags)
    }
}

/// The ring's two queues and the way into the kernel.
pub(super) struct Kernel<'r> {
    pub(super) submitter: Submitter<'r>,
    submissions: SubmissionQueue<'r>,
    completions: CompletionQueue<'r>,
}

impl<'r> Kernel<'r> {
    /// Also whether the ring's descriptor could be registered.
    pub(super) fn new(ring: &'r mut IoUring) -> (Self, bool) {
        let (mut submitter, submissions, completions) = ring.split();
        let registered = submitter.register_ring_fd().is_ok();
        (Self { submitter, submissions, completions }, registered)
    }

    /// Queues an operation; it begins with the next [`Self::enter`].
    ///
    /// # Safety
    /// The memory that the entry points to must stay valid, and untouched, until its last completion was taken.
    pub(super) unsafe fn push(&mut self, entry: &squeue::Entry) -> io::Result<()> {
        loop {
            // SAFETY: handed on to the caller.
            let pushed = unsafe { self.submissions.push(entry) };
            if pushed.is_ok() {
                return Ok(());
            }
            self.submissions.sync();
            retry_interrupted(|| self.submitter.submit())?;
            self.submissions.sync();
        }
    }

    /// The next completion that has arrived.
    pub(super) fn take(&mut self) -> Option<Completed> {
        let next = |queue: &mut CompletionQueue<'r>| {
            let entry = queue.next()?;
            Some(Completed { user_data: entry.user_data(), result: entry.result(), flags: entry.flags() })
        };
        next(&mut self.completions)
    }

    /// Makes what has been taken free for new completions, and sees which have arrived.
    pub(super) fn refresh(&mut self) {
        self.completions.sync();
    }

    /// Whether completions have arrived, or could be had by asking.
    fn anything(&mut self) -> bool {
        self.completions.sync();
        !self.completions.is_empty() || self.submissions.taskrun()
    }

    /// Begins what is queued, and waits for a completion for at most `patience` (`None`: for ever), the first
    /// `busy_poll` of it without sleeping.
    pub(super) fn enter(&mut self, patience: Option<Duration>, busy_poll: Duration) -> io::Result<()> {
        self.submissions.sync();
        let sleep = patience.is_none_or(|patience| !patience.is_zero());
        if sleep && !busy_poll.is_zero() {
            self.look(0, Duration::ZERO)?;
            let began = crate::clock::mono();
            while !self.anything() {
                if crate::clock::mono().since(began) >= busy_poll {
                    return self.wait(patience);
                }
                std::hint::spin_loop();
            }
            return self.look(0, Duration::ZERO);
        }
        if sleep { self.wait(patience) } else { self.look(0, Duration::ZERO) }
    }

    fn wait(&mut self, patience: Option<Duration>) -> io::Result<()> {
        // Half a day is as good as for ever, and fits every field.
        self.look(1, patience.unwrap_or(Duration::from_secs(43_200)))
    }

    fn look(&mut self, want: usize, patience: Duration) -> io::Result<()> {
        let timespec = Timespec::from(patience);
        let arguments = SubmitArgs::new().timespec(&timespec);
        let result = match want {
            0 => self.submitter.submit(),
            _ => self.submitter.submit_with_args(want, &arguments),
        };
        self.submissions.sync();
        self.completions.sync();
        match result.map_err(|error| (error.raw_os_error(), error)) {
            // Time is up, a signal came, or completions have to be taken first: the loop goes on in each case.
            Ok(_) | Err((Some(libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN), _)) => Ok(()),
            Err((_, error)) => Err(error),
        }
    }
}

fn retry_interrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
