use std::fs::OpenOptions;
use std::path::Path;
use std::time::Duration;

use logtank_os::lock::{FileLock, FolderLock, LockError};
use rustix::fs::{FlockOperation, fcntl_lock};

use crate::other_process::{OtherProcess, role, say, wait_to_be_let_go};

const OTHER: &str = "lock::the_other_process";

/// Holds the lock named by its role, which is `ours:PATH` or `posix:PATH`.
#[test]
fn the_other_process() {
    let Some(role) = role() else { return };
    let (kind, path) = role.split_once(':').unwrap();
    if kind == "ours" {
        let _lock = FileLock::acquire(Path::new(path), Duration::ZERO).unwrap();
        say("held");
        wait_to_be_let_go();
    } else {
        // What Java's FileLock takes.
        let file = OpenOptions::new().write(true).create(true).truncate(true).open(path).unwrap();
        fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive).unwrap();
        say("held");
        wait_to_be_let_go();
    }
}

#[test]
fn two_processes_exclude_each_other_until_one_is_killed() {
    for kind in ["ours", "posix"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("writer.lock");
        let mut other = OtherProcess::start(OTHER, &format!("{kind}:{}", path.display()), |_| {});
        assert_eq!(other.hear(), "held");
        let error = FileLock::acquire(&path, Duration::from_millis(30)).unwrap_err();
        assert!(
            matches!(&error, LockError::Held { holder, .. } if *holder == Some(other.id())),
            "{kind}: {error:?}"
        );
        assert!(
            error.to_string().contains(&format!("locked by process {} — two processes", other.id())),
            "{error}"
        );
        other.kill();
        let lock = FileLock::acquire(&path, Duration::from_secs(5)).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
        drop(lock);
    }
}

#[test]
fn one_process_does_not_lock_twice_and_a_dropped_lock_is_free() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dealer.lock");
    // Longer than a process id: what an earlier owner left must not show through.
    std::fs::write(&path, "12345678901234567890").unwrap();
    let lock = FileLock::acquire(&path, Duration::ZERO).unwrap();
    assert_eq!(lock.path(), path);
    let error = FileLock::acquire(&path, Duration::ZERO).unwrap_err();
    assert!(
        matches!(error, LockError::Held { holder: Some(pid), .. } if pid == std::process::id()),
        "{error:?}"
    );
    // With POSIX locks this would let go of the lock.
    drop(std::fs::File::open(&path).unwrap());
    assert!(FileLock::acquire(&path, Duration::ZERO).is_err());
    drop(lock);
    FileLock::acquire(&path, Duration::ZERO).unwrap();
}

#[test]
fn a_folder_that_is_not_there_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let error =
        FileLock::acquire(&folder.path().join("no/writer.lock"), Duration::from_secs(60)).unwrap_err();
    assert!(matches!(error, LockError::Failed { .. }));
    assert!(error.to_string().contains("no/writer.lock"), "{error}");
}

#[test]
fn a_folder_is_locked_until_it_is_let_go_and_stays_empty() {
    let folder = tempfile::tempdir().unwrap();
    let first = FolderLock::acquire(folder.path()).unwrap();
    std::thread::scope(|scope| {
        let (got, is_got) = std::sync::mpsc::channel();
        scope.spawn(move || {
            let _second = FolderLock::acquire(folder.path()).unwrap();
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
            got.send(()).unwrap();
        });
        is_got.recv_timeout(Duration::from_millis(50)).unwrap_err();
        drop(first);
        is_got.recv_timeout(Duration::from_secs(60)).unwrap();
    });
    let missing = Path::new("/nothing/there");
    assert_eq!(FolderLock::acquire(missing).unwrap_err().kind(), std::io::ErrorKind::NotFound);
}

#[test]
fn a_folder_is_held_by_one_as_long_as_that_lives() {
    let folder = tempfile::tempdir().unwrap();
    let held = FolderLock::hold(folder.path(), Duration::ZERO).unwrap();
    let error = FolderLock::hold(folder.path(), Duration::ZERO).unwrap_err();
    assert!(matches!(error, LockError::Held { .. }) && error.to_string().contains("one raw log"), "{error}");
    drop(held);
    FolderLock::hold(folder.path(), Duration::ZERO).unwrap();
    let gone = folder.path().join("gone");
    assert!(matches!(FolderLock::hold(&gone, Duration::ZERO), Err(LockError::Failed { .. })));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left there");
}
