//! Peers that keep a connection and do nothing good with it: half-open, slow, deaf, gone.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use logtank_tests::client::Client;
use logtank_tests::host::Host;
use logtank_tests::report;
use logtank_tests::thrift::{Change, call, read_page};
use logtank_tests::wait::eventually;
use rustix::net::sockopt::set_socket_recv_buffer_size;

use super::neighbour::{Neighbour, percentile};
use super::{
    HTTP_PATIENCE, MESSAGE_TIMEOUT, RESIDENT_BYTES_MAX, eventually_no_more_than, gauge, inputs, ports,
};

#[test]
fn half_open_slow_and_deaf_clients_are_closed_and_cost_bounded_memory() {
    let folder = tempfile::tempdir().unwrap();
    let mut host = Host::started(&folder.path().join("data"), &["--shards", "1", "--message-timeout", "2s"]);
    let neighbour = Neighbour::new(&host);
    let (resident, descriptors) =
        (gauge(&host, "process_resident_memory_bytes"), gauge(&host, "process_open_fds"));
    let whole = inputs::good_call();
    let mut held = Vec::new();
    for number in 0..300 {
        let mut stream = TcpStream::connect(host.writer()).unwrap();
        match number % 3 {
            // Half a message, then silence.
            0 => stream.write_all(&whole[..whole.len() / 2]).unwrap(),
            // A frame said to be as long as is allowed, of which little comes.
            1 => stream.write_all(&[0x00, 0xf0, 0, 0, 0x80, 1, 0, 1]).unwrap(),
            // Half a message, and no more will come.
            _ => {
                stream.write_all(&whole[..20]).unwrap();
                stream.shutdown(Shutdown::Write).unwrap();
            }
        }
        held.push(stream);
    }
    // Deaf: sends calls for ever and takes no reply.
    let mut deaf = TcpStream::connect(host.manager()).unwrap();
    deaf.set_write_timeout(Some(Duration::from_secs(5))).unwrap();
    let call = inputs::list_call();
    let mut sent = 0;
    while sent < 64 << 20 && deaf.write_all(&call).is_ok() {
        sent += call.len();
    }
    neighbour.wait_for(100);
    let most = gauge(&host, "process_peak_resident_memory_bytes") - resident;
    assert!(most < RESIDENT_BYTES_MAX, "they cost {most} bytes");
    for stream in &mut held {
        stream.set_read_timeout(Some(MESSAGE_TIMEOUT.max(HTTP_PATIENCE) + Duration::from_secs(20))).unwrap();
        let mut reply = Vec::new();
        // Whatever it says, it ends.
        if let Err(error) = stream.read_to_end(&mut reply) {
            assert_eq!(error.kind(), ErrorKind::ConnectionReset, "it stays open: {error}");
        }
    }
    drop((held, deaf));
    let left = eventually_no_more_than(&host, descriptors + 16.0);
    let latencies = neighbour.take();
    report::line(&format!(
        "{{\"test\":\"slow_clients\",\"clients\":301,\"cost_bytes\":{most},\"descriptors\":{{\"before\":{descriptors},\"after\":{left}}},\"neighbour_ms\":{{\"p50\":{:.2},\"p99\":{:.2}}}}}",
        percentile(&latencies, 50),
        percentile(&latencies, 99)
    ));
    neighbour.stop();
    host.stop();
}

#[test]
fn a_peer_that_drips_its_bytes_is_closed_when_a_message_takes_too_long() {
    let folder = tempfile::tempdir().unwrap();
    let mut host = Host::started(&folder.path().join("data"), &["--shards", "1", "--message-timeout", "2s"]);
    std::thread::scope(|scope| {
        for (port, address) in ports(&host) {
            scope.spawn(move || {
                let mut stream = TcpStream::connect(address).unwrap();
                stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
                let (request, patience) = match port {
                    "metrics" => (b"GET /metrics HTTP/1.1\r\nHost: somewhere\r\n".repeat(10), HTTP_PATIENCE),
                    _ => (inputs::good_call(), MESSAGE_TIMEOUT),
                };
                let begin = Instant::now();
                for byte in &request {
                    let ended = match stream.write_all(&[*byte]).and_then(|()| stream.read(&mut [0; 256])) {
                        Ok(count) => count == 0,
                        Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
                    };
                    if ended {
                        return;
                    }
                    // A byte each 100 ms: the whole of it would take longer.
                    assert!(begin.elapsed() < patience + Duration::from_secs(6), "{port} waits for ever");
                }
                panic!("{port} took a request that came byte by byte over {:?}", begin.elapsed());
            });
        }
    });
    host.stop();
}

#[test]
fn clients_that_go_in_the_middle_leave_whole_batches_or_none() {
    let folder = tempfile::tempdir().unwrap();
    let mut host = Host::started(&folder.path().join("data"), &["--shards", "1"]);
    let descriptors = gauge(&host, "process_open_fds");
    let whole = inputs::good_call();
    for length in 0..whole.len() {
        let mut stream = TcpStream::connect(host.writer()).unwrap();
        stream.write_all(&whole[..length]).unwrap();
        // Gone, without a word: where a reply is on its way, that connection is reset.
    }
    eventually_no_more_than(&host, descriptors + 16.0);
    let mut reader = Client::connect(host.reader()).unwrap();
    assert!(reader.recover("m").unwrap().0.is_empty(), "part of a batch was taken for a batch");
    for _ in 0..100 {
        let mut stream = TcpStream::connect(host.writer()).unwrap();
        stream.write_all(&[&whole[..], &whole[..whole.len() / 2]].concat()).unwrap();
    }
    eventually_no_more_than(&host, descriptors + 16.0);
    assert_eq!(
        reader.recover("m").unwrap().0.len(),
        1,
        "whole batches are stored, though nobody took the reply"
    );
    host.stop();
}

#[test]
fn a_page_over_a_slow_line_goes_on_and_one_not_taken_ends() {
    let folder = tempfile::tempdir().unwrap();
    let mut host = Host::started(&folder.path().join("data"), &["--shards", "1", "--message-timeout", "2s"]);
    let mut writer = Client::connect(host.writer()).unwrap();
    for batch in 0..10 {
        let fields = Some(vec![("text".into(), "x".repeat(1 << 20))]);
        let change = Change { index: "big".into(), docid: format!("{batch}"), fields, ..Change::default() };
        writer.send_batch(&[change]).unwrap();
    }
    // More than the buffers of a socket take in.
    let request = call("read_page", 1, &read_page("big", &[0])).repeat(4);
    let [mut slow, deaf] = [(); 2].map(|()| {
        let mut stream = TcpStream::connect(host.reader()).unwrap();
        set_socket_recv_buffer_size(&stream, 64 * 1024).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.write_all(&request).unwrap();
        stream
    });
    // A page of some 5 MB at 1 MB/s: it takes longer than a message may.
    let (mut taken, mut buffer) = (0, vec![0; 64 * 1024]);
    while taken < 9 << 20 {
        match slow.read(&mut buffer) {
            Ok(count @ 1..) => taken += count,
            ended => panic!("it ends after {taken} bytes: {ended:?}"),
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    drop(slow);
    eventually("who takes nothing is closed", || gauge(&host, "logtank_index_connections") == 0.0);
    drop(deaf);
    host.stop();
}
