//! Peers that take hold of what all share on the reader's and the manager's ports, and keep it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use logtank_tests::client::Client;
use logtank_tests::host::Host;
use logtank_tests::metrics::metric;
use logtank_tests::thrift::{Change, call, read_page};
use logtank_tests::wait::eventually;

const SHED: &str = "logtank_index_connections_shed_total";

#[test]
fn readers_that_take_nothing_do_not_keep_pages_from_others() {
    let folder = tempfile::tempdir().unwrap();
    let patient = ["--shards", "1", "--message-timeout", "5min"];
    let mut host = Host::started(&folder.path().join("data"), &patient);
    let mut writer = Client::connect(host.writer()).unwrap();
    for batch in 0..24 {
        let text = "x".repeat(1 << 20);
        let change = Change {
            index: "big".into(),
            docid: format!("{batch}"),
            fields: Some(vec![("text".into(), text)]),
            ..Change::default()
        };
        writer.send_batch(&[change]).unwrap();
    }
    // Several pages, more than the buffers of a socket take in.
    let request = call("read_page", 1, &read_page("big", &[0])).repeat(8);
    // Twice as many as there are places.
    let deaf: Vec<_> = (0..34)
        .map(|_| {
            let mut stream = TcpStream::connect(host.reader()).unwrap();
            stream.write_all(&request).unwrap();
            stream
        })
        .collect();
    let began = Instant::now();
    let page = Client::connect(host.reader()).unwrap().read_page("big", None).unwrap();
    assert!(page.bytes.len() > 1 << 20);
    // They would be given five minutes each to take their pages.
    assert!(began.elapsed() < Duration::from_secs(60), "a page took {:?}", began.elapsed());
    assert!(metric(host.metrics(), SHED).unwrap() >= 1.0);
    drop(deaf);
    // Whoever takes its pages is not disturbed by others that do.
    let before = metric(host.metrics(), SHED).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| {
                let (state, _) = Client::connect(host.reader()).unwrap().recover("big").unwrap();
                assert_eq!(state.len(), 24);
            });
        }
    });
    assert_eq!(metric(host.metrics(), SHED), Some(before));
    host.stop();
}

#[test]
fn calls_that_are_never_finished_are_bounded_in_all() {
    let folder = tempfile::tempdir().unwrap();
    let bound = ["--shards", "1", "--in-flight-bytes-max", "64MiB"];
    let mut host = Host::started(&folder.path().join("data"), &bound);
    // A call of 60 kB, of which the end never comes: a hundred of them are more than 4 MiB.
    let mut begun = call("read_page", 1, &read_page(&"n".repeat(60_000), &[0]));
    begun.truncate(59_000);
    let mut hoarders = Vec::new();
    for address in [host.reader(), host.manager()] {
        for _ in 0..50 {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(&begun).unwrap();
            hoarders.push(stream);
        }
    }
    eventually("some are closed", || metric(host.metrics(), SHED).unwrap() >= 20.0);
    Client::connect(host.manager()).unwrap().call("list_existing_indexes", &[]).unwrap();
    let shed = metric(host.metrics(), SHED).unwrap();
    assert!(shed <= 50.0, "no more than needed: {shed}");
    let mut closed = 0;
    for mut stream in hoarders {
        stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        closed += usize::from(!matches!(
            stream.read(&mut [0; 16]),
            Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
        ));
    }
    assert!(closed >= 20, "{closed} of those that were shed see the end");
    host.stop();
}
