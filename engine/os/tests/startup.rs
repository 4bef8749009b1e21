//! Refusals, as another user and in a sandbox.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;

use logtank_os::startup::{
    StartupError, check_folder, check_io_uring, check_registered_bytes, raise_open_files,
};
use rustix::process::{Resource, Rlimit, geteuid, setrlimit};

use crate::other_process::{OtherProcess, role, say};

const NOBODY: u32 = 65_534;
const OTHER: &str = "startup::the_other_process";

/// Does what its role says, which is `WHAT` or `WHAT:PATH`, and says how that went.
#[test]
fn the_other_process() {
    let Some(role) = role() else { return };
    let (what, path) = role.split_once(':').unwrap_or((&role, ""));
    let said = match what {
        "folder" => outcome(check_folder(Path::new(path))),
        "memory" => {
            lower(Resource::Memlock, 1 << 20, 1 << 20);
            outcome(check_registered_bytes(4 << 20))
        }
        "raised memory" => {
            lower(Resource::Memlock, 1 << 16, 8 << 20);
            outcome(check_registered_bytes(1 << 20))
        }
        "files" => {
            lower(Resource::Nofile, 64, 300);
            format!("{} / {}", raise_open_files(300).unwrap(), outcome(raise_open_files(301)))
        }
        "seccomp" => {
            forbid_io_uring();
            outcome(check_io_uring(Path::new(path)))
        }
        _ => panic!("no such role: {what}"),
    };
    say(&said);
}

fn outcome<T>(result: Result<T, StartupError>) -> String {
    result.map_or_else(|error| error.to_string(), |_| "fine".to_owned())
}

fn lower(resource: Resource, current: u64, maximum: u64) {
    setrlimit(resource, Rlimit { current: Some(current), maximum: Some(maximum) }).unwrap();
}

/// Lets io_uring_setup fail as container runtimes do. For good, so only in a process of its own.
fn forbid_io_uring() {
    let filter = [
        // The number of the system call.
        libc::sock_filter { code: (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16, jt: 0, jf: 0, k: 0 },
        libc::sock_filter {
            code: (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16,
            jt: 0,
            jf: 1,
            k: libc::SYS_io_uring_setup as u32,
        },
        libc::sock_filter {
            code: (libc::BPF_RET | libc::BPF_K) as u16,
            jt: 0,
            jf: 0,
            k: libc::SECCOMP_RET_ERRNO | libc::EPERM as u32,
        },
        libc::sock_filter {
            code: (libc::BPF_RET | libc::BPF_K) as u16,
            jt: 0,
            jf: 0,
            k: libc::SECCOMP_RET_ALLOW,
        },
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_ptr().cast_mut() };
    rustix::thread::set_no_new_privs(true).unwrap();
    // SAFETY: the kernel reads the program, which lives until the call returns, and writes nothing.
    let result = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
}

fn as_nobody(role: &str) -> Option<String> {
    if !geteuid().is_root() {
        println!("skipped: only root can start a process of another user");
        return None;
    }
    let mut other = OtherProcess::start(OTHER, role, |command| {
        command.uid(NOBODY).gid(NOBODY);
    });
    Some(other.hear())
}

#[test]
fn a_folder_of_another_user_is_refused_with_both_users() {
    let folder = tempfile::tempdir().unwrap();
    // Enough to look at it.
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let Some(said) = as_nobody(&format!("folder:{}", folder.path().display())) else { return };
    let expected =
        format!("{} can't be written — it belongs to user 0, and this process", folder.path().display());
    assert!(said.starts_with(&expected), "{said}");
    assert!(said.contains(&format!("chown -R 65534 {}", folder.path().display())), "{said}");
    // Belonging to another group is no reason, if it can be written.
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    assert_eq!(as_nobody(&format!("folder:{}", folder.path().display())).unwrap(), "fine");
}

#[test]
fn root_does_not_take_a_users_folder() {
    if !geteuid().is_root() {
        println!("skipped: needs root");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::chown(folder.path(), Some(NOBODY), None).unwrap();
    let error = check_folder(folder.path()).unwrap_err();
    assert!(matches!(error, StartupError::OtherOwner { owner: NOBODY, .. }), "{error}");
}

#[test]
fn buffers_beyond_the_locked_memory_are_refused_and_the_limit_is_raised_where_that_helps() {
    let Some(said) = as_nobody("memory") else { return };
    assert!(
        said.starts_with("buffers can't be registered — 4194304 bytes of them exceed the 1048576 bytes"),
        "{said}"
    );
    assert_eq!(as_nobody("raised memory").unwrap(), "fine");
    check_registered_bytes(0).unwrap();
}

#[test]
fn too_few_open_files_are_refused_after_raising_the_limit() {
    let mut other = OtherProcess::start(OTHER, "files", |_| {});
    assert!(other.hear().starts_with("300 / 301 open files are needed — this process may have 300 — raise"));
}

#[test]
fn a_sandbox_without_io_uring_is_recognized() {
    let settings = tempfile::tempdir().unwrap();
    std::fs::write(settings.path().join("io_uring_disabled"), "0\n").unwrap();
    let mut other = OtherProcess::start(OTHER, &format!("seccomp:{}", settings.path().display()), |_| {});
    let said = other.hear();
    assert!(said.starts_with("io_uring is refused — the sandbox around this process forbids it"), "{said}");
}
