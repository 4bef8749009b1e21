//! A host that may not have what it needs: system calls, threads, memory, length of files. (Limits are the process's own, so
//! it gets them as it begins: limits/limits.c.)

use std::path::{Path, PathBuf};
use std::process::Command;

use logtank_tests::client::Client;
use logtank_tests::host::Host;
use logtank_tests::metrics::{get, metric};
use logtank_tests::needs;
use logtank_tests::thrift::Change;
use logtank_tests::wait::eventually;
use rustix::process::{Pid, Resource, Rlimit, prlimit};

/// A user that has nothing else running.
const USER: u32 = 64_213;

/// The compiled limits.
pub(super) fn preloaded(folder: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("it/limits/limits.c");
    let library = folder.join("limits.so");
    let arguments = ["-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o"];
    let compiled = Command::new("cc").args(arguments).arg(&library).arg(source).status();
    assert!(compiled.expect("cc is there").success());
    library
}

fn limited(data: &Path, library: &Path, limits: &str) -> Host {
    let mut host = Host::new(data, &["--shards", "1", "--epoch-max-age", "1s"]);
    host.variable("LD_PRELOAD", library);
    host.variable("PROCESS_LIMITS", Path::new(limits));
    host
}

fn change(number: usize) -> Change {
    Change {
        index: "m".into(),
        docid: format!("d{number}"),
        fields: Some(vec![("t".into(), "x".repeat(256 << 10))]),
        ..Change::default()
    }
}

fn readiness(host: &Host) -> String {
    get(host.metrics(), "/readyz").unwrap_or_default()
}

fn documents(host: &Host) -> usize {
    Client::connect(host.reader()).unwrap().recover("m").unwrap().0.len()
}

#[test]
fn a_host_that_may_not_use_io_uring_says_which_calls_it_needs() {
    let folder = tempfile::tempdir().unwrap();
    let library = preloaded(folder.path());
    // Numbers of io_uring_setup, io_uring_enter and io_uring_register, the same on each architecture.
    for call in [425, 426, 427] {
        let limits = format!("without={call}");
        let log = limited(&folder.path().join("data"), &library, &limits).start_in_vain();
        assert!(log.contains("io_uring_setup, io_uring_enter and io_uring_register"), "{call}: {log}");
    }
    assert!(!folder.path().join("data").exists(), "nothing was begun");
}

#[test]
fn threads_and_memory_that_a_user_may_not_have_are_named() {
    if !needs::drives() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let library = preloaded(folder.path());
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    std::os::unix::fs::chown(&data, Some(USER), Some(USER)).unwrap();
    let opened = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.path(), opened).unwrap();
    for (limit, named) in [
        ("threads=2", "LimitNPROC="),
        ("threads=8", "LimitNPROC="),
        ("locked=0", "LimitMEMLOCK="),
        ("locked=65536", "LimitMEMLOCK="),
    ] {
        let log = limited(&data, &library, &format!("{limit} user={USER}")).start_in_vain();
        assert!(log.contains(named), "{limit}: {log}");
    }
    let mut host = limited(&data, &library, &format!("threads=100 locked=8388608 user={USER}"));
    host.start();
    Client::connect(host.writer()).unwrap().send_batch(&[change(0)]).unwrap();
    assert_eq!(documents(&host), 1);
    host.stop();
}

fn may_write_files_of(host: &Host, bytes: Option<u64>) {
    let pid = Pid::from_raw(i32::try_from(host.pid()).unwrap());
    prlimit(pid, Resource::Fsize, Rlimit { current: bytes, maximum: None }).unwrap();
}

#[test]
fn batches_are_refused_while_no_file_may_be_as_long_as_a_segment() {
    let folder = tempfile::tempdir().unwrap();
    let mut host = Host::new(&folder.path().join("data"), &["--shards", "1", "--epoch-max-age", "1s"]);
    // From its first moment.
    let started = host.try_start_and(|pid| {
        let pid = Pid::from_raw(i32::try_from(pid).unwrap());
        prlimit(pid, Resource::Fsize, Rlimit { current: Some(1 << 20), maximum: None }).unwrap();
    });
    started.unwrap();
    Client::connect(host.writer()).unwrap().send_batch(&[change(0)]).unwrap_err();
    assert_eq!(metric(host.metrics(), "logtank_appends_allowed"), Some(0.0));
    let ready = readiness(&host);
    assert!(ready.contains(" 503 ") && ready.contains("LimitFSIZE="), "{ready}");
    may_write_files_of(&host, None);
    eventually("it is ready", || readiness(&host).contains(" 200 "));
    Client::connect(host.writer()).unwrap().send_batch(&[change(0)]).unwrap();
    assert_eq!(documents(&host), 1);
    host.stop();
}

#[test]
fn what_a_limit_of_lengths_holds_up_is_written_when_it_goes() {
    const BATCHES: usize = 120;
    let folder = tempfile::tempdir().unwrap();
    let mut host = Host::started(&folder.path().join("data"), &["--shards", "1"]);
    let writer = host.writer();
    let sent = std::thread::spawn(move || {
        let mut client = Client::connect(writer).unwrap();
        (0..BATCHES).map(|number| client.send_batch(&[change(number)])).collect::<Vec<_>>()
    });
    // Within the segment: what is written behind the limit fails, and so does making a fresh segment.
    may_write_files_of(&host, Some(16 << 20));
    eventually("a write fails", || readiness(&host).contains("LimitFSIZE="));
    assert!(readiness(&host).contains(" 503 "));
    may_write_files_of(&host, None);
    let taken = sent.join().unwrap().into_iter().filter(Result::is_ok).count();
    eventually("it is ready", || readiness(&host).contains(" 200 "));
    assert!(taken > 0);
    assert!(documents(&host) >= taken, "{} of {taken}", documents(&host));
    host.kill();
    host.start();
    assert!(documents(&host) >= taken, "{} of {taken}", documents(&host));
    host.stop();
}
