//! Peers that take all connections of a port and ask for nothing, and those that come after them.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::time::Duration;

use logtank_tests::host::Host;
use logtank_tests::metrics::metric;
use logtank_tests::thrift::{Change, call, read_page, send_batch};
use logtank_tests::wait::eventually;
use rustix::net::{AddressFamily, SocketType, bind, connect, socket};

const CONNECTIONS_MAX: usize = 8;

/// A connection from this address of the machine's own.
fn connect_from(last: u8, address: SocketAddr) -> TcpStream {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&socket, &SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, last), 0)).unwrap();
    connect(&socket, &address).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream
}

/// Whether a call is answered.
fn is_answered(mut stream: &TcpStream, call: &[u8]) -> bool {
    let mut length = [0; 4];
    if stream.write_all(call).is_err() || stream.read_exact(&mut length).is_err() {
        return false;
    }
    let mut reply = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut reply).is_ok()
}

/// What is asked of a port whose connections are all taken by one address.
fn who_comes_next_is_served(host: &Host, address: SocketAddr, [open, gave_way]: [&str; 2], call: &[u8]) {
    let count = |name| metric(host.metrics(), name).unwrap();
    eventually("nobody is left of the port before", || count(open) == 0.0);
    let gave_way_before = count(gave_way);
    let known = connect_from(2, address);
    assert!(is_answered(&known, call));
    // One of them is in the middle of a call.
    let mut asking = connect_from(1, address);
    asking.write_all(&call[..call.len() - 1]).unwrap();
    let resting: Vec<_> = (2..CONNECTIONS_MAX).map(|_| connect_from(1, address)).collect();
    eventually("all are taken", || count(open) == CONNECTIONS_MAX as f64);
    let next: Vec<_> = (0..3).map(|_| connect_from(3, address)).collect();
    for stream in &next {
        assert!(is_answered(stream, call), "one that came next");
    }
    for mut stream in &resting[..3] {
        assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0, "those that rested longest have seen the end");
    }
    assert!(is_answered(&known, call), "who has few stays");
    assert!(is_answered(&asking, &call[call.len() - 1..]), "who is in the middle of a call stays");
    assert!(is_answered(&resting[3], call), "no more than needed have gone");
    eventually("they are counted", || count(gave_way) - gave_way_before == 3.0);
}

#[test]
fn connections_that_rest_give_way_to_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let few = CONNECTIONS_MAX.to_string();
    let mut host = Host::started(&folder.path().join("data"), &["--shards", "1", "--connections-max", &few]);
    let index = ["logtank_index_connections", "logtank_index_connections_gave_way_total"];
    who_comes_next_is_served(&host, host.reader(), index, &call("read_page", 1, &read_page("none", &[0])));
    who_comes_next_is_served(&host, host.manager(), index, &call("list_existing_indexes", 1, &[]));
    assert_eq!(metric(host.metrics(), "logtank_index_connections_refused_total"), Some(0.0));
    let writer = ["logtank_connections", "logtank_connections_gave_way_total"];
    let change = Change { index: "i".into(), docid: "d".into(), ..Change::default() };
    who_comes_next_is_served(&host, host.writer(), writer, &call("send_batch", 1, &send_batch(&[change])));
    assert_eq!(metric(host.metrics(), "logtank_connections_refused_total"), Some(0.0));
    host.stop();
}
