//! Whether a file is being accessed past the page cache, and how that is suspended for odd lengths.

use std::cell::Cell;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::rc::Rc;

use logtank_engine::io::Transfer;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use tokio_uring::fs::File;

/// An open file with its O_DIRECT flag.
///
/// The end of a file that is not a whole block can't be written by direct I/O. Writing a whole block and cutting
/// it off again would leave a wrong length after a crash, and would overwrite what follows in the middle of a
/// file; so such a piece goes through the page cache, on the same descriptor, whose flag is cleared meanwhile.
/// Direct transfers that happen to begin just then go through the page cache, too, which is slower and not wrong;
/// the kernel keeps both views of the file the same.
pub(super) struct DirectFile {
    file: File,
    state: Cell<State>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Never direct: not asked for, or the filesystem refused.
    Cached,
    /// Direct, except while this many operations need the page cache.
    Direct { suspended_by: u32 },
}

/// While it lives, the file's transfers go through the page cache.
pub(super) struct Suspended(Rc<DirectFile>);

impl DirectFile {
    /// Takes a file that was opened without the flag, and sets it if that is wanted and the filesystem can.
    /// (Creating a file *with* the flag leaves the file behind where the filesystem then refuses.)
    pub(super) fn new(file: File, transfer: Transfer) -> Self {
        let file = Self { file, state: Cell::new(State::Cached) };
        if transfer == Transfer::Direct && file.set_flag(true).is_ok() {
            file.state.set(State::Direct { suspended_by: 0 });
        }
        file
    }

    pub(super) const fn file(&self) -> &File {
        &self.file
    }

    /// Whether whole blocks should be transferred as such.
    pub(super) fn is_direct(&self) -> bool {
        matches!(self.state.get(), State::Direct { .. })
    }

    /// Gives up direct transfers of this file for good: the filesystem took the flag and refused the transfer.
    pub(super) fn give_up(&self) -> io::Result<()> {
        if self.is_direct() {
            self.set_flag(false)?;
            self.state.set(State::Cached);
        }
        Ok(())
    }

    /// Lets transfers go through the page cache until the answer is dropped.
    pub(super) fn suspend(self: &Rc<Self>) -> io::Result<Suspended> {
        if let State::Direct { suspended_by } = self.state.get() {
            if suspended_by == 0 {
                self.set_flag(false)?;
            }
            self.state.set(State::Direct { suspended_by: suspended_by + 1 });
        }
        Ok(Suspended(self.clone()))
    }

    /// The descriptor, which stays open as long as `self`.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the descriptor is open as long as `self.file`, and the borrow of `self` keeps that alive.
        unsafe { BorrowedFd::borrow_raw(self.file.as_raw_fd()) }
    }

    fn set_flag(&self, direct: bool) -> io::Result<()> {
        let mut flags = fcntl_getfl(self.fd())?;
        flags.set(OFlags::DIRECT, direct);
        Ok(fcntl_setfl(self.fd(), flags)?)
    }
}

impl Drop for Suspended {
    fn drop(&mut self) {
        match self.0.state.get() {
            State::Cached => {}
            State::Direct { suspended_by: 0 } => unreachable!("resumed more often than suspended"),
            State::Direct { suspended_by: 1 } => {
                // If the flag can't be set, the file just stays cached.
                let direct = self.0.set_flag(true).is_ok();
                self.0.state.set(if direct { State::Direct { suspended_by: 0 } } else { State::Cached });
            }
            State::Direct { suspended_by } => {
                self.0.state.set(State::Direct { suspended_by: suspended_by - 1 });
            }
        }
    }
}
