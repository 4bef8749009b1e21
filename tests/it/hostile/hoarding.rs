//! Peers that take hold of what all share on the reader's and the manager's ports, and keep it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use logtank_tests::client::Client;
use logtank_tests::host::Host;
use logtank_tests::metrics::metric;
use logtank_tests::thrift::{Change, call, read_page};
use logtank_tests::wait::eventually;
use rustix::net::sockopt::{set_socket_linger, set_socket_recv_buffer_size};

const SHED: &str = "logtank_index_connections_shed_total";
/// Records of a page that is longer than the kernel's buffers of one connection.
const PAGE_RECORDS: usize = 8;
const RECORD_BYTES: usize = 600 << 10;

fn write_pages(writer: &mut Client, pages: usize) {
    for number in 0..pages * PAGE_RECORDS {
        let fields = Some(vec![("text".into(), "x".repeat(RECORD_BYTES))]);
        let change = Change { index: "big".into(), docid: format!("{number}"), fields, ..Change::default() };
        writer.send_batch(&[change]).unwrap();
    }
}

#[test]
fn readers_that_take_nothing_do_not_keep_pages_from_others() {
    let folder = tempfile::tempdir().unwrap();
    let patient = ["--shards", "1", "--message-timeout", "5min"];
    let mut host = Host::started(&folder.path().join("data"), &patient);
    let mut writer = Client::connect(host.writer()).unwrap();
    write_pages(&mut writer, 5);
    // Several pages, more than the buffers of a socket take in.
    let request = call("read_page", 1, &read_page("big", &[0])).repeat(8);
    // Twice as many as there are places.
    let deaf: Vec<_> = (0..34)
        .map(|_| {
            let mut stream = TcpStream::connect(host.reader()).unwrap();
            // Not even the first page finds room in it.
            set_socket_recv_buffer_size(&stream, 64 * 1024).unwrap();
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
                assert_eq!(state.len(), 5 * PAGE_RECORDS);
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

#[test]
fn who_waits_for_a_page_and_goes_has_none_read() {
    let folder = tempfile::tempdir().unwrap();
    // Two places for pages.
    let few = ["--shards", "1", "--in-flight-bytes-max", "32MiB", "--message-timeout", "1min"];
    let mut host = Host::started(&folder.path().join("data"), &few);
    let mut writer = Client::connect(host.writer()).unwrap();
    write_pages(&mut writer, 3);
    let request = call("read_page", 1, &read_page("big", &[0]));
    let ask = |count| {
        let mut stream = TcpStream::connect(host.reader()).unwrap();
        set_socket_recv_buffer_size(&stream, 64 * 1024).unwrap();
        stream.write_all(&request.repeat(count)).unwrap();
        stream
    };
    let connections = || metric(host.metrics(), "logtank_index_connections").unwrap();
    // They have all places until they are found to take nothing, after five seconds.
    let deaf = [ask(8), ask(8)];
    let pages = || metric(host.metrics(), "logtank_page_records_total").unwrap() / PAGE_RECORDS as f64;
    eventually("their pages are read", || pages() >= 2.0);
    let waiting: Vec<_> = (0..100).map(|_| ask(1)).collect();
    eventually("they wait", || connections() == 102.0);
    let before = pages();
    for stream in waiting {
        // It is reset, as by a machine that has forgotten of it.
        set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
    }
    eventually("they are let go", || connections() <= 2.0);
    assert!(pages() - before < 50.0, "{} pages were read for those that had gone", pages() - before);
    let before = pages();
    // Who waits is not kept waiting when the host ends, though it lets others finish their pages.
    drop(deaf);
    let _deaf = [ask(8), ask(8)];
    eventually("their pages are read", || connections() == 2.0 && pages() >= before + 2.0);
    let mut waiting = ask(1);
    eventually("it waits", || connections() == 3.0);
    let began = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| host.stop());
        assert_eq!(waiting.read(&mut [0; 16]).unwrap(), 0);
        assert!(began.elapsed() < Duration::from_secs(4), "it is closed with all others");
    });
}
