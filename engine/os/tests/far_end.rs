//! What the kernel says of the other end of real connections.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use logtank_os::far_end::{FarEnd, acknowledged_bytes, far_end};

fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let far = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (listener.accept().unwrap().0, far)
}

fn eventually(what: &str, mut is: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is() {
        assert!(begin.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::yield_now();
    }
}

#[test]
fn what_stands_in_buffers_here_is_not_acknowledged() {
    let (mut near, mut far) = pair();
    let begin = acknowledged_bytes(&near).unwrap();
    near.set_nonblocking(true).unwrap();
    let mut written = 0;
    while let Ok(count) = near.write(&[7; 65536]) {
        written += count as u64;
    }
    let acknowledged = acknowledged_bytes(&near).unwrap() - begin;
    assert!(acknowledged < written, "{acknowledged} of {written}, though nobody reads");
    far.set_nonblocking(true).unwrap();
    eventually("what is read is acknowledged", || {
        // Until there is something to read.
        let _ = far.read(&mut [0; 65536]);
        acknowledged_bytes(&near).unwrap() - begin == written
    });
}

#[test]
fn the_far_end_is_open_finished_or_gone() {
    let (near, far) = pair();
    assert_eq!(far_end(&near).unwrap(), FarEnd::Open);
    (&far).write_all(b"a call").unwrap();
    assert_eq!(far_end(&near).unwrap(), FarEnd::Open);
    far.shutdown(Shutdown::Write).unwrap();
    eventually("its end is seen", || far_end(&near).unwrap() == FarEnd::Finished);
    // What it has not read is lost: it resets the connection.
    (&near).write_all(b"an answer").unwrap();
    drop(far);
    eventually("it is gone", || far_end(&near).unwrap() == FarEnd::Gone);
}

#[test]
fn what_is_no_connection_of_tcp_has_no_acknowledgements() {
    let (near, _far) = UnixStream::pair().unwrap();
    assert!(acknowledged_bytes(&near).is_err());
}
