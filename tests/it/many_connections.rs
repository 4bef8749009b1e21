//! Idle and slow connections cost bounded memory and disturb nobody.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use logtank_tests::client::Client;
use logtank_tests::host::Host;
use logtank_tests::thrift::{self, Change};

fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn change(docid: &str) -> Change {
    Change {
        index: "m".into(),
        docid: docid.into(),
        fields: Some(vec![("t".into(), "x".repeat(1000))]),
        ..Change::default()
    }
}

fn idle_connections_are_cheap(count: usize) {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::started(&folder.path().join("data"), &[]);
    let mut writer = Client::connect(host.writer()).unwrap();
    writer.send_batch(&[change("before")]).unwrap();
    let before = resident_kib(host.pid());
    let idle: Vec<_> = (0..count).map(|_| TcpStream::connect(host.writer()).unwrap()).collect();
    // A reply on the last connection shows that all before it were accepted.
    let mut last = Client::connect(host.writer()).unwrap();
    last.send_batch(&[change("after")]).unwrap();
    let cost = resident_kib(host.pid()).saturating_sub(before);
    assert!(cost < 8 * count as u64, "{count} idle connections cost {cost} KiB");
    writer.send_batch(&[change("still")]).unwrap();
    drop(idle);
}

#[test]
fn idle_connections_are_bounded_in_memory() {
    idle_connections_are_cheap(500);
}

/// Needs `ulimit -n` of twice as many and some more, here and for the host.
#[test]
#[ignore = "needs 10,000 file descriptors in this process: run with --include-ignored"]
fn ten_thousand_idle_connections_are_bounded_in_memory() {
    idle_connections_are_cheap(10_000);
}

#[test]
fn a_client_that_sends_a_byte_now_and_then_disturbs_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::started(&folder.path().join("data"), &["--shards", "1"]);
    let message = thrift::call("send_batch", 1, &thrift::send_batch(&[change("slow")]));
    let mut slow: Vec<_> = (0..50).map(|_| TcpStream::connect(host.writer()).unwrap()).collect();
    let mut fast = Client::connect(host.writer()).unwrap();
    let begin = Instant::now();
    for round in 0..40 {
        for connection in &mut slow {
            connection.write_all(&message[round..=round]).unwrap();
        }
        for number in 0..20 {
            fast.send_batch(&[change(&format!("fast-{round}-{number}"))]).unwrap();
        }
    }
    assert!(begin.elapsed() < Duration::from_secs(30), "800 batches took {:?}", begin.elapsed());
    // None of the half messages was taken for a whole one.
    let (state, _) = Client::connect(host.reader()).unwrap().recover("m").unwrap();
    assert_eq!(state.len(), 800);
}
