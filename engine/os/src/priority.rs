//! How the calling thread ranks among others, for the processor and for drives.
//!
//! Threads that it starts afterwards, and the kernel's helpers of its rings, take its ranks over.

use std::io;

/// A thread's rank at the drive, where the drive's scheduler looks at it (bfq does, mq-deadline at the class
/// only, none and kyber do not).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IoPriority {
    /// As its processor priority has it.
    Default,
    /// Before all others; 0 is the first of eight levels. Needs privileges.
    RealTime(u8),
    /// The ordinary class; 0 is the first of eight levels, 4 the usual one.
    BestEffort(u8),
    /// Only when nobody else wants the drive.
    Idle,
}

// linux/ioprio.h; crate libc has no names for them.
const WHO_PROCESS: libc::c_int = 1;
const CLASS_NONE: libc::c_int = 0;
const CLASS_REAL_TIME: libc::c_int = 1;
const CLASS_BEST_EFFORT: libc::c_int = 2;
const CLASS_IDLE: libc::c_int = 3;
const CLASS_SHIFT: u32 = 13;
const LEVELS: u8 = 8;

/// Sets the calling thread's rank at drives.
///
/// # Errors
/// The system's: [`IoPriority::RealTime`] is refused without privileges.
///
/// # Panics
/// If a level is not below 8.
pub fn set_io_priority(priority: IoPriority) -> io::Result<()> {
    let (class, level) = match priority {
        IoPriority::Default => (CLASS_NONE, 0),
        IoPriority::RealTime(level) => (CLASS_REAL_TIME, level),
        IoPriority::BestEffort(level) => (CLASS_BEST_EFFORT, level),
        IoPriority::Idle => (CLASS_IDLE, 0),
    };
    assert!(level < LEVELS, "there are eight levels");
    let value = class << CLASS_SHIFT | libc::c_int::from(level);
    // SAFETY: the call takes three integers and touches no memory.
    let result = unsafe { libc::syscall(libc::SYS_ioprio_set, WHO_PROCESS, 0, value) };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The calling thread's rank at drives.
///
/// # Errors
/// The system's, or `InvalidData` for a class that is none of [`IoPriority`].
pub fn io_priority() -> io::Result<IoPriority> {
    // SAFETY: the call takes two integers and touches no memory.
    let value = unsafe { libc::syscall(libc::SYS_ioprio_get, WHO_PROCESS, 0) };
    if value == -1 {
        return Err(io::Error::last_os_error());
    }
    let level = (value % i64::from(LEVELS)) as u8;
    match (value >> CLASS_SHIFT) as libc::c_int {
        CLASS_NONE => Ok(IoPriority::Default),
        CLASS_REAL_TIME => Ok(IoPriority::RealTime(level)),
        CLASS_BEST_EFFORT => Ok(IoPriority::BestEffort(level)),
        CLASS_IDLE => Ok(IoPriority::Idle),
        class => Err(io::Error::new(io::ErrorKind::InvalidData, format!("I/O priority class {class}"))),
    }
}

/// Sets the calling thread's niceness: -20 (first) to 19 (last), 0 is the usual one.
///
/// # Errors
/// The system's: a lower niceness than before needs privileges.
pub fn set_nice(nice: i32) -> io::Result<()> {
    // Of a process, says POSIX; of a thread, does Linux.
    Ok(rustix::process::setpriority_process(None, nice)?)
}

/// Ranks the calling thread no higher than at niceness `nice`; one that ranks lower already stays where it is.
///
/// # Errors
/// The system's.
pub fn give_way(nice: i32) -> io::Result<()> {
    if rustix::process::getpriority_process(None)? < nice { set_nice(nice) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Priorities are of the thread, so each test changes them on one of its own.
    fn on_a_thread(test: impl FnOnce() + Send) {
        std::thread::scope(|scope| scope.spawn(test).join().unwrap());
    }

    #[test]
    fn io_priority_is_taken_over_by_threads_started_later() {
        on_a_thread(|| {
            set_io_priority(IoPriority::BestEffort(6)).unwrap();
            assert_eq!(io_priority().unwrap(), IoPriority::BestEffort(6));
            set_io_priority(IoPriority::Idle).unwrap();
            on_a_thread(|| assert_eq!(io_priority().unwrap(), IoPriority::Idle));
        });
    }

    #[test]
    fn niceness_is_of_one_thread_and_gives_way_only_downwards() {
        let niceness = || rustix::process::getpriority_process(None).unwrap();
        let before = niceness();
        on_a_thread(|| {
            set_nice(7).unwrap();
            give_way(5).unwrap();
            assert_eq!(niceness(), 7, "a thread that ranks lower stays there");
            give_way(9).unwrap();
            assert_eq!(niceness(), 9);
        });
        assert_eq!(niceness(), before);
    }
}
