//! Clients that speak something else than a port does, and what they are answered.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::serve::Host;

/// Below the time that a host gives a message to arrive: an answer that comes only then is none.
const AT_ONCE: Duration = Duration::from_secs(10);

/// What a port answers to these bytes before it closes the connection.
fn answer(address: &str, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(AT_ONCE)).unwrap();
    stream.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer, and the end of the connection");
    answer
}

#[test]
fn every_port_answers_other_protocols_alike_and_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::start(&folder.path().join("data"), &[]);
    for (bytes, named) in [
        (&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..], "begins like HTTP"),
        (b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03", "this port is not encrypted"),
        (b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n", "PROXY protocol"),
        (b"\x82\x21\x01\x0asend_batch\0", "TCompactProtocol"),
        (b"\0\0\0\x0f\x82\x21\x01\x0asend_batch\0", "TCompactProtocol"),
        (b"\0\0\0\x20\x0f\xff\0\0\0\0\0\x01\0\x01\0\0", "THeaderTransport"),
        (b"[1,\"send_batch\",1,1,{}]", "TJSONProtocol"),
        (b"\0\0\0\x17[1,\"send_batch\",1,1,{}]", "TJSONProtocol"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "begins with text"),
        (b"\xff\xff\xff\xff\xff\xff\xff\xff", "another version than Thrift's 0x8001"),
    ] {
        let of = |port: &str| answer(host.address(port), bytes);
        let writer = of("writer");
        let text = String::from_utf8_lossy(&writer).into_owned();
        assert!(text.contains(named), "{named}: {}", writer.escape_ascii());
        let at = if named.contains("THeader") || bytes.starts_with(&[0]) { 4 } else { 0 };
        assert_eq!(writer[at..at + 4], [0x80, 1, 0, 3], "an exception: {}", writer.escape_ascii());
        assert_eq!((of("reader"), of("manager")), (writer.clone(), writer), "{named}");
    }
    assert_eq!(host.stop().0, Some(0));
}
