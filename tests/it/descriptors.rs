//! A process that may open no more files: what is connected goes on, nothing acknowledged is lost, and all is well again by
//! itself as soon as it may.

use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use logtank_tests::client::Client;
use logtank_tests::host::Host;
use logtank_tests::metrics::metric;
use logtank_tests::thrift::Change;
use logtank_tests::wait::eventually;

fn change(number: usize) -> Change {
    Change {
        index: "m".into(),
        docid: format!("d{number}"),
        fields: Some(vec![("t".into(), "x".repeat(500))]),
        ..Change::default()
    }
}

/// Sets the soft limit of a running process.
fn limit(host: &Host, files: &str) {
    let status = Command::new("prlimit")
        .arg(format!("--pid={}", host.pid()))
        .arg(format!("--nofile={files}:"))
        .status();
    assert!(status.expect("util-linux is there").success(), "prlimit --nofile={files}:");
}

fn soft_limit(host: &Host) -> String {
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", host.pid())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).expect("a limit");
    line.split_whitespace().nth(3).expect("its soft value").to_owned()
}

fn open_files(host: &Host) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", host.pid())).unwrap().count()
}

/// Processor time of the process in hundredths of a second.
fn processor_time(host: &Host) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", host.pid())).unwrap();
    let fields: Vec<_> = stat.rsplit(')').next().expect("its name ends").split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

#[test]
fn a_host_that_may_open_no_more_files_loses_nothing_and_goes_on_when_it_may() {
    let folder = tempfile::tempdir().unwrap();
    let mut host = Host::started(&folder.path().join("data"), &["--epoch-max-age", "200ms"]);
    let mut early = Client::connect(host.writer()).unwrap();
    early.send_batch(&[change(0)]).unwrap();
    let usual = soft_limit(&host);
    limit(&host, &open_files(&host).to_string());
    // The kernel connects them; the host can't take them.
    let late: Vec<TcpStream> = (0..20).map(|_| TcpStream::connect(host.writer()).unwrap()).collect();
    for number in 1..300 {
        early.send_batch(&[change(number)]).unwrap();
        // Long enough for some epochs to end that can't be dealt.
        std::thread::sleep(Duration::from_millis(3));
    }
    let before = processor_time(&host);
    std::thread::sleep(Duration::from_secs(2));
    let used = processor_time(&host) - before;
    assert!(used < 100, "{used} hundredths of a second of two whole ones: it asks again and again");
    limit(&host, &usual);
    drop(late);
    eventually("new connections are taken", || {
        Client::connect(host.writer()).is_ok_and(|mut client| client.send_batch(&[change(300)]).is_ok())
    });
    eventually("all epochs are dealt", || {
        metric(host.metrics(), "logtank_dealt_records_total").is_some_and(|dealt| dealt >= 301.0)
    });
    assert_eq!(Client::connect(host.reader()).unwrap().recover("m").unwrap().0.len(), 301);
    host.stop();
}
