//! The ring itself: set-up with what the kernel offers, queues, waiting.

use std::collections::VecDeque;
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
    /// Behind a full queue that the kernel takes nothing from for now. What they point to stays, as for queued ones.
    behind: VecDeque<squeue::Entry>,
}

impl<'r> Kernel<'r> {
    /// Also whether the ring's descriptor could be registered.
    pub(super) fn new(ring: &'r mut IoUring) -> (Self, bool) {
        let (mut submitter, submissions, completions) = ring.split();
        let registered = submitter.register_ring_fd().is_ok();
        (Self { submitter, submissions, completions, behind: VecDeque::new() }, registered)
    }

    /// Queues an operation; it begins with the next [`Self::enter`].
    ///
    /// # Safety
    /// The memory that the entry points to must stay valid, and untouched, until its last completion was taken.
    pub(super) unsafe fn push(&mut self, entry: &squeue::Entry) -> io::Result<()> {
        // SAFETY: handed on to the caller.
        unsafe { self.push_by(entry, Submitter::submit) }
    }

    /// # Safety
    /// That of [`Self::push`].
    unsafe fn push_by(
        &mut self,
        entry: &squeue::Entry,
        submit: impl Fn(&Submitter<'r>) -> io::Result<usize>,
    ) -> io::Result<()> {
        // SAFETY: handed on to the caller.
        if self.behind.is_empty() && unsafe { self.submissions.push(entry) }.is_ok() {
            return Ok(());
        }
        self.behind.push_back(entry.clone());
        // SAFETY: the caller of each vouched for it.
        while !unsafe { self.move_up() } {
            let submitted = submit(&self.submitter);
            self.submissions.sync();
            match submitted {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Before it takes more, completions have to be taken, or memory has to come back: `enter` tries again.
                Err(error) if is_for_now(&error) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Moves entries into the queue, in order; whether all are in.
    ///
    /// # Safety
    /// That of [`Self::push`], for each entry.
    unsafe fn move_up(&mut self) -> bool {
        while let Some(entry) = self.behind.front() {
            // SAFETY: handed on to the caller.
            if unsafe { self.submissions.push(entry) }.is_err() {
                return false;
            }
            self.behind.pop_front();
        }
        true
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
        while !self.behind.is_empty() {
            let waiting = self.behind.len();
            self.look(0, Duration::ZERO)?;
            // SAFETY: whoever pushed an entry vouched for its memory until its last completion.
            unsafe { self.move_up() };
            self.submissions.sync();
            if self.behind.len() == waiting {
                // Whoever calls takes what has completed, and comes back.
                return Ok(());
            }
        }
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
        match result {
            Ok(_) => Ok(()),
            // Time is up, a signal came, or completions have to be taken first: the loop continues in each case.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ETIME | libc::EINTR)) => Ok(()),
            Err(error) if is_for_now(&error) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Whether the kernel refuses operations only until completions were taken, or it has memory again.
fn is_for_now(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EBUSY | libc::EAGAIN | libc::ENOMEM))
}

#[cfg(test)]
mod tests {
    use io_uring::opcode;

    use super::*;

    #[test]
    fn operations_wait_while_the_kernel_takes_none() {
        for refusal in [libc::EAGAIN, libc::EBUSY, libc::ENOMEM] {
            let mut ring = IoUring::new(2).unwrap();
            let (mut kernel, _) = Kernel::new(&mut ring);
            for name in 0..9 {
                let entry = opcode::Nop::new().build().user_data(name);
                let refuse = |_: &Submitter<'_>| Err(io::Error::from_raw_os_error(refusal));
                // SAFETY: it points to no memory.
                unsafe { kernel.push_by(&entry, refuse) }.unwrap();
            }
            assert_eq!(kernel.behind.len(), 7, "the queue has room for two");
            let mut ended = Vec::new();
            while ended.len() < 9 {
                kernel.enter(Some(Duration::from_secs(10)), Duration::ZERO).unwrap();
                ended.extend(std::iter::from_fn(|| kernel.take()).map(|completed| completed.user_data));
                kernel.refresh();
            }
            assert_eq!(ended, (0..9).collect::<Vec<_>>(), "each once, in order");
        }
    }

    #[test]
    fn a_ring_that_is_gone_is_an_error() {
        let mut ring = IoUring::new(2).unwrap();
        let (mut kernel, _) = Kernel::new(&mut ring);
        let refuse = |_: &Submitter<'_>| Err(io::Error::from_raw_os_error(libc::EBADF));
        let entry = opcode::Nop::new().build();
        // SAFETY: it points to no memory.
        let pushed = (0..3).map(|_| unsafe { kernel.push_by(&entry, refuse) }).find(Result::is_err);
        assert_eq!(pushed.unwrap().unwrap_err().raw_os_error(), Some(libc::EBADF));
    }
}
