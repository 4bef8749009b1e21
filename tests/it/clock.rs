//! A wall clock that was wrong: what is on disk is a year ahead of it, as after a step back while the host was down. (Steps
//! while it runs are the simulation's: a process can't be given a clock of its own here, and the machine's is everybody's.)

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use logtank_tests::client::Client;
use logtank_tests::host::{Host, run};
use logtank_tests::metrics::metric;
use logtank_tests::thrift::Change;

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

#[test]
fn a_clock_that_stepped_back_a_year_changes_no_order_and_stops_no_dealing() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let year = Duration::from_secs(365 * 86_400);
    let ahead = (SystemTime::now() + year).duration_since(UNIX_EPOCH).unwrap().as_millis();
    std::fs::write(data.join("dealer.next_timestamp.info"), ahead.to_string()).unwrap();
    // As in the tree of a host that has run.
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
        let dealt = || metric(host.metrics(), "logtank_dealt_records_total");
        for _ in 0..600 {
            if dealt() >= Some(20.0) {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        assert!(dealt() >= Some(20.0), "dealing goes on");
        host.kill();
        host.start();
        assert_eq!(recovered(&host), number);
    }
    host.stop();
    let path = data.to_str().unwrap();
    let (code, findings, log) = run(&["verify", path], b"");
    assert_eq!(code, Some(0), "{findings}\n{log}");
    let next = std::fs::read_to_string(data.join("dealer.next_timestamp.info")).unwrap();
    assert!(next.trim().parse::<u128>().unwrap() > ahead, "times on disk never go back");
}
