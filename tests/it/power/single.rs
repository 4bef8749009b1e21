//! One fault at one place, and exactly what the host does then.

use std::path::{Path, PathBuf};

use logtank_faultfs::{Drive, Effect, Filesystem, Mounted, Operation, Rule, Store};
use logtank_tests::client::{Client, Failure};
use logtank_tests::host::Host;
use logtank_tests::metrics::{get, metric};
use logtank_tests::needs;
use logtank_tests::thrift::Change;
use logtank_tests::wait::eventually;

use super::run::DRIVE_BYTES;

fn change(docid: &str) -> Change {
    Change {
        index: "m".into(),
        docid: docid.into(),
        fields: Some(vec![("t".into(), "x".repeat(500))]),
        ..Change::default()
    }
}

struct Broken {
    host: Host,
    mounted: Mounted,
    drive: Drive,
}

impl Broken {
    fn new(arguments: &[&str]) -> Self {
        let drive = Drive::new(Store::new(DRIVE_BYTES)).unwrap();
        Filesystem::Ext4.make(&drive).unwrap();
        let mounted = Mounted::new(&drive, Filesystem::Ext4).unwrap();
        let small = ["--shards", "1", "--message-bytes-max", "256KiB", "--record-bytes-max", "64KiB"];
        let host = Host::started(&mounted.path().join("data"), &[&small, arguments].concat());
        Self { host, mounted, drive }
    }

    fn write(&self, from: usize, to: usize) -> Result<(), Failure> {
        let mut writer = Client::connect(self.host.writer())?;
        (from..to).try_for_each(|number| writer.send_batch(&[change(&format!("d{number}"))]))
    }

    fn documents(&self) -> usize {
        Client::connect(self.host.reader()).unwrap().recover("m").unwrap().0.len()
    }

    /// The raw segment that is being written, once it has its name; temporary files are no segments.
    fn segment(&self) -> PathBuf {
        let live = self.mounted.path().join("data/raw/live");
        let mut found = None;
        eventually("the segment in use is named", || {
            found = newest(&live, |name| name.ends_with(".rawlog") && !name.starts_with("ready-"));
            found.is_some()
        });
        found.unwrap()
    }

    /// Strikes operations on a file's bytes.
    fn strike(&self, file: &Path, operation: Operation, times: u64) {
        let ranges = self.mounted.ranges(file).unwrap();
        self.drive.strike(Rule { ranges, times, ..Rule::next(operation, Effect::Eio) });
    }

    /// Kills the host and starts it on a filesystem mounted anew, so that nothing comes from the page cache.
    fn again(mut self) -> Self {
        self.host.kill();
        let mut broken = self.mounted_anew();
        broken.host.start();
        broken
    }

    /// Of a host that has ended: the filesystem mounted anew, and a host on it that is not started.
    fn mounted_anew(self) -> Self {
        let Self { host, mounted, drive } = self;
        drop(host);
        drop(mounted);
        let mounted = Mounted::new(&drive, Filesystem::Ext4).unwrap();
        let host = Host::new(&mounted.path().join("data"), &["--shards", "1"]);
        Self { host, mounted, drive }
    }
}

/// The last of a folder's files by name, of those that are meant; what is being made is not a file yet.
fn newest(folder: &Path, is_meant: impl Fn(&str) -> bool) -> Option<PathBuf> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    files.filter(|path| !name(path).starts_with(".tmp-") && is_meant(&name(path))).max()
}

#[test]
fn a_write_that_fails_is_made_again_elsewhere_and_no_client_notices() {
    if !needs::drives() {
        return;
    }
    for (append, sync) in [("direct", "always"), ("buffered", "always"), ("buffered", "interval")] {
        let broken = Broken::new(&["--append", append, "--sync", sync]);
        broken.write(0, 50).unwrap();
        // Or the drive would be asked to write that one's zeros together with this segment's frames.
        let at_hand = || metric(broken.host.metrics(), "logtank_ready_segments");
        eventually("the next segment is made ready", || at_hand() >= Some(1.0));
        broken.strike(&broken.segment(), Operation::Write, 1);
        broken.write(50, 100).unwrap();
        let rewrites = || metric(broken.host.metrics(), "logtank_rewrites_total").unwrap();
        eventually("the un-synced frames are written to a fresh segment", || rewrites() >= 1.0);
        broken.write(100, 150).unwrap();
        assert_eq!(broken.documents(), 150, "{append}, {sync}");
        let broken = broken.again();
        assert_eq!(broken.documents(), 150, "{append}, {sync}, after a restart without page cache");
    }
}

#[test]
fn a_flush_that_fails_is_not_made_again_and_what_was_acknowledged_is_there() {
    if !needs::drives() {
        return;
    }
    let mut broken = Broken::new(&["--sync", "always"]);
    broken.write(0, 50).unwrap();
    broken.drive.strike(Rule::every(Operation::Flush, Effect::Eio));
    assert!(matches!(broken.write(50, 51), Err(Failure::Connection(_))), "no reply says that it is stored");
    let (status, log) = broken.host.wait();
    assert_eq!(status.code(), Some(78), "{log}");
    assert!(log.contains("os error 5") || log.contains("Input/output error"), "{log}");
    broken.drive.heal();
    let mut broken = broken.mounted_anew();
    broken.host.start();
    assert!((50..=51).contains(&broken.documents()), "what was in doubt may be there");
}

#[test]
fn what_the_drive_refused_twice_is_brought_back_from_the_page_cache_by_the_next_start() {
    if !needs::drives() {
        return;
    }
    let mut broken = Broken::new(&["--append", "buffered", "--sync", "interval"]);
    broken.write(0, 50).unwrap();
    let at_hand = || metric(broken.host.metrics(), "logtank_ready_segments");
    eventually("the next segment is made ready", || at_hand() >= Some(1.0));
    broken.segment();
    let live = std::fs::read_dir(broken.mounted.path().join("data/raw/live")).unwrap();
    let files = live.map(|entry| entry.unwrap().path());
    let ranges = files.flat_map(|file| broken.mounted.ranges(&file).unwrap_or_default()).collect();
    // The segment in use and those that would take its place; not the filesystem's own blocks.
    broken.drive.strike(Rule { ranges, ..Rule::every(Operation::Write, Effect::Eio) });
    let mut acknowledged = 50;
    while broken.write(acknowledged, acknowledged + 1).is_ok() {
        acknowledged += 1;
    }
    let (status, log) = broken.host.wait();
    assert_eq!(status.code(), Some(78), "{log}");
    assert!(acknowledged > 50, "batches are acknowledged before they are synced");
    broken.drive.heal();
    broken.host.start();
    let there = broken.documents();
    assert!((acknowledged..=acknowledged + 1).contains(&there), "{there} of {acknowledged}");
    broken.host.logs("only the page cache still had");
    let broken = broken.again();
    assert_eq!(broken.documents(), there, "after a restart without page cache");
}

#[test]
fn a_raw_segment_that_cannot_be_read_is_not_taken_for_the_end_of_the_log() {
    if !needs::drives() {
        return;
    }
    let mut broken = Broken::new(&["--sync", "always"]);
    broken.write(0, 200).unwrap();
    let segment = broken.segment();
    let ranges = broken.mounted.ranges(&segment).unwrap();
    broken.host.kill();
    let mut broken = broken.mounted_anew();
    broken.drive.strike(Rule { ranges, ..Rule::every(Operation::Read, Effect::Eio) });
    let log = broken.host.start_in_vain();
    assert!(log.contains(segment.file_name().unwrap().to_str().unwrap()), "it names the file:\n{log}");
    broken.drive.heal();
    broken.host.start();
    assert_eq!(broken.documents(), 200, "nothing was cut off");
}

#[test]
fn an_index_that_cannot_be_read_is_refused_and_served_again_when_the_drive_is_well() {
    if !needs::drives() {
        return;
    }
    let broken = Broken::new(&["--epoch-max-age", "200ms"]);
    broken.write(0, 200).unwrap();
    let segments = broken.mounted.path().join("data/indexes/m/segments");
    eventually("the epoch is dealt", || {
        segments.is_dir() && metric(broken.host.metrics(), "logtank_dealt_records_total") == Some(200.0)
    });
    let broken = broken.again();
    let segments = broken.mounted.path().join("data/indexes/m/segments");
    let data = std::fs::read_dir(segments).unwrap().map(|entry| entry.unwrap().path());
    for file in data {
        broken.strike(&file, Operation::Read, u64::MAX);
    }
    let refused = Client::connect(broken.host.reader()).unwrap().recover("m");
    let Err(Failure::Refused(why)) = refused else { panic!("{refused:?}") };
    assert!(!why.is_empty());
    assert!(get(broken.host.metrics(), "/healthz").unwrap().contains("200"), "the host lives");
    broken.write(200, 201).unwrap();
    broken.drive.heal();
    eventually("the index is served", || {
        Client::connect(broken.host.reader()).unwrap().recover("m").is_ok_and(|(state, _)| state.len() == 201)
    });
}

#[test]
fn a_full_drive_refuses_batches_clearly_goes_on_reading_and_heals() {
    if !needs::drives() {
        return;
    }
    let broken = Broken::new(&["--free-bytes-min", "64MiB", "--epoch-max-age", "300ms"]);
    broken.write(0, 100).unwrap();
    let filler = broken.mounted.path().join("filler");
    // To the last block: then even the floor is used up.
    let mut file = std::fs::File::create(&filler).unwrap();
    while std::io::Write::write_all(&mut file, &vec![1; 1 << 20]).is_ok() {}
    drop(file);
    let mut last = 100;
    let mut why = String::new();
    eventually("batches are refused", || match broken.write(last, last + 1) {
        Ok(()) => {
            last += 1;
            false
        }
        Err(Failure::Refused(said)) => {
            why = said;
            true
        }
        Err(Failure::Connection(error)) => panic!("the connection broke: {error}"),
    });
    assert!(why.contains("full") || why.contains("free"), "{why}");
    assert!(get(broken.host.metrics(), "/readyz").unwrap().contains("503"), "it is not ready");
    assert_eq!(broken.documents(), last, "what was acknowledged is read");
    std::fs::remove_file(&filler).unwrap();
    eventually("batches are taken again", || broken.write(last, last + 1).is_ok());
    assert_eq!(broken.documents(), last + 1);
    let broken = broken.again();
    assert_eq!(broken.documents(), last + 1);
}
