//! A wall clock that is wrong: one that stepped back while the host was down, and one that steps while it runs. (The
//! machine's clock is everybody's, so the host is given one of its own: clock/wall_clock.c.)

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use logtank_tests::client::Client;
use logtank_tests::host::{Host, run};
use logtank_tests::metrics::{get, metric};
use logtank_tests::thrift::Change;

const YEAR: Duration = Duration::from_secs(365 * 86_400);

fn version(number: u64) -> Change {
    Change {
        index: "m".into(),
        docid: "d".into(),
        fields: Some(vec![("version".into(), number.to_string())]),
        ..Change::default()
    }
}

fn recovered(host: &Host) -> u64 {
    let (state, _) = Client::connect(host.reader()).unwrap().recover("m").unwrap();
    let fields = state[b"d".as_slice()].fields.clone().unwrap();
    String::from_utf8(fields[b"version".as_slice()].clone()).unwrap().parse().unwrap()
}

/// Waits until so many records were dealt since the host's start.
fn dealt(host: &Host, records: f64) {
    let dealt = || metric(host.metrics(), "logtank_dealt_records_total");
    for _ in 0..4_000 {
        if dealt() >= Some(records) {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("dealing does not go on: {:?} of {records} records", dealt());
}

fn next_to_deal(data: &Path) -> Duration {
    let text = std::fs::read_to_string(data.join("dealer.next_timestamp.info")).unwrap();
    Duration::from_millis(text.trim().parse().unwrap())
}

fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

#[test]
fn a_clock_that_stepped_back_a_year_changes_no_order_and_stops_no_dealing() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir_all(data.join("raw/live")).unwrap();
    let ahead = since_1970() + YEAR;
    std::fs::write(data.join("dealer.next_timestamp.info"), ahead.as_millis().to_string()).unwrap();
    // As in the tree of a host that has run; raw/live/ is a part of it.
    for name in ["safe_to_read", "master"] {
        std::fs::write(data.join(name), "").unwrap();
    }
    let mut host = Host::started(&data, &["--shards", "2", "--epoch-max-age", "100ms"]);
    let mut number = 0;
    for start in 0..3 {
        for _ in 0..20 {
            number += 1;
            Client::connect(host.writer()).unwrap().send_batch(&[version(number)]).unwrap();
            assert_eq!(recovered(&host), number, "start {start}");
        }
        dealt(&host, 20.0);
        host.kill();
        host.start();
        assert_eq!(recovered(&host), number);
    }
    host.stop();
    verify(&data);
    assert!(next_to_deal(&data) > ahead, "times on disk never go back");
}

fn verify(data: &Path) {
    let (code, findings, log) = run(&["verify", data.to_str().unwrap()], b"");
    assert_eq!(code, Some(0), "{findings}\n{log}");
}

/// A wall clock for one process.
struct WallClock {
    library: PathBuf,
    offset_file: PathBuf,
    offset: File,
}

impl WallClock {
    /// Builds it, into this folder.
    fn new(folder: &Path) -> Self {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("it/clock/wall_clock.c");
        let library = folder.join("wall_clock.so");
        let built =
            Command::new("cc").args(["-O2", "-shared", "-fPIC", "-o"]).arg(&library).arg(source).status();
        assert!(built.is_ok_and(|status| status.success()), "cc, the C compiler, builds the clock");
        let offset_file = folder.join("offset");
        let offset = File::create(&offset_file).unwrap();
        offset.write_all_at(&0i64.to_ne_bytes(), 0).unwrap();
        Self { library, offset_file, offset }
    }

    /// Sets it so far ahead of the machine's, or back if negative.
    fn step(&self, millis: i64) {
        self.offset.write_all_at(&millis.to_ne_bytes(), 0).unwrap();
    }
}

#[test]
#[cfg_attr(not(target_arch = "x86_64"), ignore = "the clock is written for x86-64")]
fn steps_of_the_clock_change_no_order_and_stop_no_dealing() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let clock = WallClock::new(folder.path());
    let mut host = Host::new(&data, &["--shards", "2", "--epoch-max-age", "100ms"]);
    host.variable("LD_PRELOAD", &clock.library);
    host.variable("WALL_CLOCK_OFFSET", &clock.offset_file);
    host.start();
    let (begin, mut number) = (since_1970(), 0);
    let year = i64::try_from(YEAR.as_millis()).unwrap();
    // Back and ahead, a little and far; to before 1970, and to after 2109, which no epoch's name can say. The host is killed
    // at every other.
    let steps = [0, -3_600_000, 1, -year, 60_000, 10 * year, 0, -70 * year, 2 * year, 100 * year, 0];
    let mut since_start = 0.0;
    for (count, step) in steps.into_iter().enumerate() {
        clock.step(step);
        for _ in 0..20 {
            number += 1;
            Client::connect(host.writer()).unwrap().send_batch(&[version(number)]).unwrap();
            assert_eq!(recovered(&host), number, "after a step to {step} ms");
        }
        since_start += 20.0;
        dealt(&host, since_start);
        assert_eq!(recovered(&host), number, "dealt, after a step to {step} ms");
        if count % 2 == 1 {
            host.kill();
            host.start();
            assert_eq!(recovered(&host), number, "killed, after a step to {step} ms");
            let answer = get(host.metrics(), "/readyz").unwrap();
            assert!(answer.starts_with("HTTP/1.1 "), "asked after a start at {step} ms: {answer}");
            since_start = 0.0;
        }
    }
    host.stop();
    verify(&data);
    assert!(next_to_deal(&data) > begin + 9 * YEAR, "the host's clock was ten years ahead");
}
