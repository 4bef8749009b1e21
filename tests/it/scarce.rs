//! Small filesystems that the host, or somebody else, has filled: on loop devices, so only as root (`LOGTANK_TEST_ROOT`).

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use logtank_tests::client::{Client, Failure};
use logtank_tests::host::Host;
use logtank_tests::metrics::{get, metric};
use logtank_tests::needs;
use logtank_tests::thrift::Change;
use logtank_tests::wait::{comes, eventually};
use rustix::fs::statvfs;
use tempfile::TempDir;

const MIB: u64 = 1 << 20;

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().expect("it is installed");
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// An ext4 of so many bytes, mounted until it is dropped.
struct Small {
    folder: TempDir,
}

impl Small {
    fn new(bytes: u64, options: &[&str]) -> Self {
        let small = Self { folder: tempfile::tempdir().unwrap() };
        let image = small.folder.path().join("image");
        std::fs::File::create(&image).unwrap().set_len(bytes).unwrap();
        let image = image.to_str().unwrap();
        run("mkfs.ext4", &[&["-q", "-F", "-m", "0"], options, &[image]].concat());
        std::fs::create_dir(small.path()).unwrap();
        run("mount", &["-o", "loop", image, small.path().to_str().unwrap()]);
        small
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("mounted")
    }

    /// The loop device that it is on.
    fn device(&self) -> String {
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
        let path = self.path();
        let mut fields = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        let found = fields.find(|fields| Path::new(fields[1]) == path).expect("it is mounted");
        found[0].trim_start_matches("/dev/").to_owned()
    }

    /// Makes it read-only, as the kernel does when it meets an error.
    fn meet_error(&self) {
        run("mount", &["-o", "remount,errors=remount-ro", self.path().to_str().unwrap()]);
        let trigger = Path::new("/sys/fs/ext4").join(self.device()).join("trigger_fs_error");
        std::fs::write(trigger, "for a test").unwrap();
    }

    /// Takes it off, repairs it, and mounts it again.
    fn repair(&self) {
        // A ring gives its files back a little after its process has ended.
        eventually("nobody uses it", || {
            Command::new("umount").arg(self.path()).stderr(Stdio::null()).status().unwrap().success()
        });
        let image = self.folder.path().join("image");
        let repaired = Command::new("e2fsck").args(["-f", "-y"]).arg(&image).output().unwrap().status;
        assert!(matches!(repaired.code(), Some(0 | 1)), "{repaired}");
        run("mount", &["-o", "loop", image.to_str().unwrap(), self.path().to_str().unwrap()]);
    }

    fn free(&self) -> u64 {
        let found = statvfs(self.path()).unwrap();
        found.f_bavail * found.f_frsize
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        // Lazily: where an assertion failed, a host may still have files open.
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

fn change(number: usize) -> Change {
    Change {
        index: format!("m{}", number % 3),
        docid: format!("d{number}"),
        fields: Some(vec![("t".into(), "x".repeat(256 << 10))]),
        ..Change::default()
    }
}

/// Sends until the host refuses, at most so many; returns how many it took, and what it said.
fn send_until_refused(host: &Host, first: usize, most: usize, seen: impl Fn()) -> (usize, Option<String>) {
    let mut client = Client::connect(host.writer()).unwrap();
    for number in 0..most {
        seen();
        match client.send_batch(&[change(first + number)]) {
            Ok(()) => {}
            Err(Failure::Refused(why)) => return (number, Some(why)),
            Err(Failure::Connection(error)) => panic!("no answer to batch {number}: {error}\n{}", host.log()),
        }
    }
    (most, None)
}

fn takes_batches(host: &Host, number: usize) -> bool {
    Client::connect(host.writer()).is_ok_and(|mut client| client.send_batch(&[change(number)]).is_ok())
}

fn readiness(host: &Host) -> String {
    get(host.metrics(), "/readyz").unwrap_or_default()
}

fn documents(host: &Host) -> usize {
    let index = |index| Client::connect(host.reader()).unwrap().recover(index).unwrap().0.len();
    ["m0", "m1", "m2"].into_iter().map(index).sum()
}

#[test]
fn a_full_drive_keeps_its_reserve_and_recovers_when_told_to() {
    if !needs::drives() {
        return;
    }
    let (small, reserve) = (Small::new(672 * MIB, &[]), 100 * MIB);
    let host = |history: &str| {
        let arguments = [
            "--shards",
            "1",
            "--free-bytes-min",
            "100MiB",
            "--history-max-bytes",
            history,
            "--epoch-max-age",
            "2s",
        ];
        Host::new(&small.path().join("data"), &arguments)
    };
    // Folders and the tables of the filesystem itself take a little beside what the host counts.
    let keeps = || assert!(small.free() + 2 * MIB >= reserve, "only {} MiB are free", small.free() / MIB);
    let mut full = host("10GiB");
    full.start();
    let allowed = || metric(full.metrics(), "logtank_appends_allowed");
    let (mut taken, mut refusals) = (0, 0);
    loop {
        let (more, why) = send_until_refused(&full, taken, 4_000, keeps);
        taken += more;
        refusals += 1;
        let why = why.expect("the drive is smaller than that");
        println!("{taken} batches, {} MiB free; {why}", small.free() / MIB);
        eventually("what was received is dealt", || {
            keeps();
            metric(full.metrics(), "logtank_undealt_epochs") == Some(0.0)
        });
        // Where dealing was behind, there is room for more now.
        if !comes(Duration::from_secs(5), || allowed() == Some(1.0)) {
            break;
        }
    }
    assert!(taken > 400, "{taken}");
    assert_eq!(metric(full.metrics(), "logtank_appends_allowed"), Some(0.0));
    let ready = readiness(&full);
    assert!(ready.contains(" 503 ") && ready.contains("batches are refused"), "{ready}");
    std::thread::sleep(Duration::from_secs(5));
    keeps();
    let log = full.log();
    assert!(log.matches("ERROR").count() <= 3 + refusals, "it says so again and again:\n{log}");
    assert_eq!(documents(&full), taken);
    full.stop();
    let mut shorter = host("60MiB");
    shorter.start();
    eventually("there is room again", || {
        keeps();
        metric(shorter.metrics(), "logtank_appends_allowed") == Some(1.0)
    });
    eventually("it is ready", || readiness(&shorter).contains(" 200 "));
    assert!(takes_batches(&shorter, taken));
    assert_eq!(documents(&shorter), taken + 1);
    shorter.stop();
    keeps();
}

fn use_inodes(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    for number in 0.. {
        if std::fs::File::create(folder.join(number.to_string())).is_err() {
            return;
        }
    }
}

#[test]
fn batches_are_refused_while_no_more_files_can_be_made() {
    if !needs::drives() {
        return;
    }
    let (small, data) = (Small::new(1 << 30, &["-N", "48"]), tempfile::tempdir().unwrap());
    let raw = small.path().join("raw");
    let arguments = ["--shards", "1", "--raw-dir", raw.to_str().unwrap(), "--epoch-max-age", "1s"];
    let mut host = Host::started(&data.path().join("data"), &arguments);
    assert!(takes_batches(&host, 0));
    let others = small.path().join("others");
    use_inodes(&others);
    eventually("batches are refused", || metric(host.metrics(), "logtank_appends_allowed") == Some(0.0));
    let began = Instant::now();
    let (_, why) = send_until_refused(&host, 1, 10, || {});
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    println!("{}", why.expect("refused"));
    let ready = readiness(&host);
    assert!(ready.contains(" 503 ") && ready.contains("files"), "{ready}");
    host.stop();
    // Full at the start, too.
    let mut again = Host::started(&data.path().join("data"), &arguments);
    assert_eq!(metric(again.metrics(), "logtank_appends_allowed"), Some(0.0));
    assert!(!takes_batches(&again, 1));
    std::fs::remove_dir_all(others).unwrap();
    eventually("batches are taken again", || takes_batches(&again, 1));
    eventually("it is ready", || readiness(&again).contains(" 200 "));
    again.stop();
}

/// Nothing can be written to it until it is thawed.
struct Frozen(PathBuf);

impl Frozen {
    fn new(path: PathBuf) -> Self {
        run("fsfreeze", &["-f", path.to_str().unwrap()]);
        Self(path)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        let _ = Command::new("fsfreeze").arg("-u").arg(&self.0).status();
    }
}

#[test]
fn a_drive_that_does_not_answer_makes_a_host_not_ready() {
    if !needs::drives() {
        return;
    }
    let (small, raw) = (Small::new(512 * MIB, &[]), tempfile::tempdir().unwrap());
    let arguments = [
        "--shards",
        "1",
        "--raw-dir",
        raw.path().to_str().unwrap(),
        "--epoch-max-age",
        "1s",
        "--free-bytes-min",
        "1MiB",
    ];
    let mut host = Host::started(&small.path().join("data"), &arguments);
    assert!(takes_batches(&host, 0));
    let frozen = Frozen::new(small.path());
    // For the background to deal, which waits for the drive then.
    assert!(takes_batches(&host, 1));
    std::thread::sleep(Duration::from_secs(30));
    assert!(readiness(&host).contains(" 200 "), "half a minute is a slow drive");
    let stuck = || readiness(&host).contains("dealing for ");
    assert!(comes(Duration::from_secs(60), stuck), "{}", readiness(&host));
    assert!(readiness(&host).contains(" 503 "));
    let page = get(host.metrics(), "/metrics").unwrap();
    let age = |thread: &str| {
        let start = format!("logtank_thread_heartbeat_age_seconds{{thread=\"{thread}\"}} ");
        let line =
            page.lines().find_map(|line| line.strip_prefix(&start)).unwrap_or_else(|| panic!("{thread}"));
        line.parse::<f64>().unwrap()
    };
    assert!(age("dealing") >= 60.0);
    for thread in ["shard-0", "acceptor", "raw-log", "indexes", "space"] {
        assert!(age(thread) < 20.0, "{thread}: {}", age(thread));
    }
    drop(frozen);
    eventually("it is ready again", || readiness(&host).contains(" 200 "));
    host.stop();
}

#[test]
fn indexes_that_an_error_made_read_only_are_named_and_caught_up() {
    if !needs::drives() {
        return;
    }
    let (small, raw) = (Small::new(512 * MIB, &[]), tempfile::tempdir().unwrap());
    let raw = raw.path().to_str().unwrap();
    let arguments = ["--shards", "1", "--raw-dir", raw, "--epoch-max-age", "1s", "--free-bytes-min", "1MiB"];
    let mut host = Host::started(&small.path().join("data"), &arguments);
    assert!(takes_batches(&host, 0));
    eventually("it is dealt", || metric(host.metrics(), "logtank_dealt_records_total") == Some(1.0));
    small.meet_error();
    let ready = || readiness(&host);
    eventually("it says so", || ready().contains(" 503 ") && ready().contains("read-only"));
    assert!(takes_batches(&host, 1), "the raw log is elsewhere");
    eventually("dealing fails", || ready().contains("nothing is dealt, since that fails again and again"));
    assert_eq!(documents(&host), 2);
    host.stop();
    small.repair();
    host.start();
    eventually("it is ready", || readiness(&host).contains(" 200 "));
    eventually("the rest is dealt", || metric(host.metrics(), "logtank_dealt_records_total") == Some(1.0));
    assert_eq!(documents(&host), 2);
    host.stop();
}

#[test]
fn a_raw_log_that_an_error_made_read_only_ends_the_host() {
    if !needs::drives() {
        return;
    }
    let (small, data) = (Small::new(512 * MIB, &[]), tempfile::tempdir().unwrap());
    let raw = small.path().join("raw");
    let arguments = [
        "--shards",
        "1",
        "--raw-dir",
        raw.to_str().unwrap(),
        "--epoch-max-age",
        "1s",
        "--free-bytes-min",
        "1MiB",
        "--sync",
        "always",
    ];
    let mut host = Host::started(&data.path().join("data"), &arguments);
    assert!(takes_batches(&host, 0));
    small.meet_error();
    // Its segment can neither be named nor sealed any more.
    let (status, log) = host.wait();
    assert_eq!(status.code(), Some(78), "{log}");
    assert!(log.to_lowercase().contains("read-only"), "{log}");
    let log = host.start_in_vain();
    assert!(log.to_lowercase().contains("read-only"), "{log}");
    small.repair();
    host.start();
    assert!(takes_batches(&host, 1));
    assert_eq!(documents(&host), 2);
    host.stop();
}
