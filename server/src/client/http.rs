use std::io::{self, Read, Write};
use std::net::ToSocketAddrs;
use std::time::Duration;

use super::connection::connect;
use super::tls::Encryption;

/// A response is metrics as text; with every label there is, far below this.
const RESPONSE_BYTES_MAX: u64 = 16 << 20;

/// `GET path` of a metrics port: status code and body.
///
/// # Errors
/// The system's, or `InvalidData` if the answer is no HTTP.
pub(crate) fn get(
    address: &str,
    path: &str,
    timeout: Duration,
    encryption: &Encryption,
) -> io::Result<(u16, String)> {
    let invalid = || io::Error::new(io::ErrorKind::InvalidData, "the answer is not HTTP");
    let resolved = address.to_socket_addrs()?.next().ok_or_else(invalid)?;
    let mut stream = encryption.wrap(connect(resolved, timeout)?, address)?;
    // Version 1.0: no chunks, and the end of the body is the end of the connection.
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
    stream.flush()?;
    let mut response = String::new();
    stream.take(RESPONSE_BYTES_MAX).read_to_string(&mut response)?;
    let (head, body) = response.split_once("\r\n\r\n").ok_or_else(invalid)?;
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(invalid)?;
    Ok((status, body.to_owned()))
}
