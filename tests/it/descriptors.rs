//! A process that may open no more files: what is connected goes on, nothing acknowledged is lost, and all is well again by
//! itself as soon as it may.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use logtank_tests::client::Client;
use logtank_tests::host::Host;
use logtank_tests::metrics::metric;
use logtank_tests::thrift::Change;
use logtank_tests::wait::eventually;
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

fn change(number: usize) -> Change {
    Change {
        index: "m".into(),
        docid: format!("d{number}"),
        fields: Some(vec![("t".into(), "x".repeat(500))]),
        ..Change::default()
    }
}

/// Lets a running process open no file any more, beyond those that it has open; returns what it might before.
fn take_descriptors(pid: u32) -> Rlimit {
    give_descriptors(pid, Rlimit { current: Some(0), ..getrlimit(Resource::Nofile) })
}

fn give_descriptors(pid: u32, limit: Rlimit) -> Rlimit {
    let pid = Pid::from_raw(pid.try_into().expect("a process id")).expect("not zero");
    prlimit(Some(pid), Resource::Nofile, limit).expect("its limits are the test's to set")
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
    let usual = take_descriptors(host.pid());
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
    give_descriptors(host.pid(), usual);
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

/// A host that let clients in and ended then, since one of its own threads had yet to open something, would be worse than one
/// that does not start.
#[test]
fn a_host_that_lets_clients_in_has_opened_what_it_needs() {
    let folder = tempfile::tempdir().unwrap();
    let mut host = Host::new(&folder.path().join("data"), &[]);
    let writer = host.writer();
    let mut usual = None;
    let started = host.try_start_and(|pid| {
        // In a tight loop: what is yet to be opened would be in a few milliseconds.
        let began = Instant::now();
        while TcpStream::connect(writer).is_err() && began.elapsed() < Duration::from_secs(60) {}
        usual = Some(take_descriptors(pid));
    });
    started.expect("it gets ready");
    // For whatever a thread does first.
    std::thread::sleep(Duration::from_millis(300));
    give_descriptors(host.pid(), usual.expect("taken"));
    Client::connect(host.writer()).unwrap().send_batch(&[change(0)]).unwrap();
    assert_eq!(Client::connect(host.reader()).unwrap().recover("m").unwrap().0.len(), 1);
    host.stop();
}
