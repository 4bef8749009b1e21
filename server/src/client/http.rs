use std::io::{self, Read, Write};
use std::time::Duration;

use super::address::resolve;
use super::connection::connect;
use super::error::CallError;
use super::tls::Encryption;

/// A response is metrics as text; with every label there is, far below this.
const RESPONSE_BYTES_MAX: u64 = 16 << 20;

/// `GET path` of a metrics port: status code and body.
///
/// # Errors
/// The connection's, or that what answers is no HTTP.
pub(crate) fn get(
    address: &str,
    path: &str,
    timeout: Duration,
    encryption: &Encryption,
) -> Result<(u16, String), CallError> {
    let resolved = resolve(address)?[0];
    let mut stream = encryption.wrap(connect(resolved, timeout)?, address)?;
    // Version 1.0: no chunks, and the end of the body is the end of the connection.
    let request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n");
    let sent = stream.write_all(request.as_bytes()).and_then(|()| stream.flush());
    // A peer that is no host may say what it is and break the connection off, also before it was asked.
    let mut response = Vec::new();
    let received = stream.take(RESPONSE_BYTES_MAX).read_to_end(&mut response);
    if let Some(error) = CallError::of_foreign(&response, "HTTP") {
        return Err(error);
    }
    sent.and(received).map_err(CallError::of_stream)?;
    if response.is_empty() {
        let what = "the host closed it without an answer";
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, what).into());
    }
    let parsed = String::from_utf8(response).ok().and_then(|text| {
        let (head, body) = text.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some((status, body.to_owned()))
    });
    parsed.ok_or_else(|| CallError::NotThere("the port does not answer in HTTP".to_owned()))
}
