use std::io;
use std::path::Path;

use io_uring::{IoUring, Probe, opcode};

use super::startup_error::StartupError;

/// Operations that must be there, with their names for people.
const OPERATIONS: &[(u8, &str)] = &[
    (opcode::Accept::CODE, "accept"),
    (opcode::Recv::CODE, "recv"),
    (opcode::Send::CODE, "send"),
    (opcode::AsyncCancel::CODE, "cancelling"),
    (opcode::PollAdd::CODE, "poll"),
    (opcode::Read::CODE, "read"),
    (opcode::Write::CODE, "write"),
    (opcode::WriteFixed::CODE, "write from registered memory"),
    (opcode::Shutdown::CODE, "shutdown"),
    (opcode::Close::CODE, "close"),
    (opcode::Fsync::CODE, "fsync"),
    (opcode::SyncFileRange::CODE, "sync_file_range"),
    (opcode::Fallocate::CODE, "fallocate"),
    (opcode::OpenAt::CODE, "openat"),
    (opcode::Statx::CODE, "statx"),
    (opcode::RenameAt::CODE, "renameat"),
    (opcode::UnlinkAt::CODE, "unlinkat"),
    (opcode::MkDirAt::CODE, "mkdirat"),
];

/// Whether this process may use io_uring, and whether the kernel's has what the host needs. `settings` is
/// /proc/sys/kernel, where a refusal is explained.
///
/// # Errors
/// Why not, and what to do.
pub fn check_io_uring(settings: &Path) -> Result<(), StartupError> {
    let mut ring = IoUring::new(4).map_err(|error| explain(error, settings))?;
    let mut probe = Probe::new();
    let probed = ring.submitter().register_probe(&mut probe);
    // A filter may allow the one call and not the other.
    probed.map_err(|error| explain(error, settings))?;
    try_one(&mut ring).map_err(|error| explain(error, settings))?;
    if let Some((_, feature)) = OPERATIONS.iter().find(|(code, _)| !probe.is_supported(*code)) {
        return Err(StartupError::IoUringLacks { feature });
    }
    // Came with 6.1, after multishot receive (6.0) and rings of provided buffers (5.19), which can't be probed.
    let deferring: io::Result<IoUring> =
        IoUring::builder().setup_single_issuer().setup_defer_taskrun().build(4);
    match deferring {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
            Err(StartupError::IoUringLacks { feature: "deferred completions (IORING_SETUP_DEFER_TASKRUN)" })
        }
        Err(source) => Err(StartupError::IoUringFailed { source }),
    }
}

/// Has the kernel do nothing: where it may not be entered, whoever waits for an operation would wait for ever.
fn try_one(ring: &mut IoUring) -> io::Result<()> {
    // SAFETY: it points to no memory.
    unsafe { ring.submission().push(&opcode::Nop::new().build()) }.map_err(io::Error::other)?;
    loop {
        match ring.submit_and_wait(1) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            entered => return entered.map(drop),
        }
    }
}

/// Why making a ring failed.
fn explain(error: io::Error, settings: &Path) -> StartupError {
    let setting =
        |name| -> Option<i64> { std::fs::read_to_string(settings.join(name)).ok()?.trim().parse().ok() };
    match error.raw_os_error() {
        Some(libc::ENOSYS) => StartupError::IoUringMissing,
        Some(libc::EPERM | libc::EACCES) => match setting("io_uring_disabled") {
            Some(2) => StartupError::IoUringDisabled,
            Some(1) => StartupError::IoUringForGroup { group: setting("io_uring_group").unwrap_or(-1) },
            _ => StartupError::IoUringForbidden,
        },
        _ => StartupError::IoUringFailed { source: error },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_can_run_the_host() {
        check_io_uring(Path::new("/proc/sys/kernel")).unwrap();
    }

    #[test]
    fn a_refusal_is_explained_by_the_settings() {
        let settings = tempfile::tempdir().unwrap();
        let refused = |error| explain(io::Error::from_raw_os_error(error), settings.path()).to_string();
        assert!(refused(libc::EPERM).contains("seccomp"), "no such setting before 6.6");
        assert!(refused(libc::ENOSYS).contains("use Linux 6.1"));
        std::fs::write(settings.path().join("io_uring_disabled"), "2\n").unwrap();
        assert!(refused(libc::EPERM).contains("kernel.io_uring_group to a group of this user"));
        std::fs::write(settings.path().join("io_uring_disabled"), "1\n").unwrap();
        std::fs::write(settings.path().join("io_uring_group"), "-1\n").unwrap();
        assert!(refused(libc::EPERM).contains("kernel.io_uring_group is -1"));
        std::fs::write(settings.path().join("io_uring_disabled"), "0\n").unwrap();
        assert!(refused(libc::EPERM).contains("io_uring_setup, io_uring_enter and io_uring_register"));
        assert!(refused(libc::ENOMEM).contains("see the kernel's log"));
    }
}
