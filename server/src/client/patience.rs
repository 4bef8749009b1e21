//! Waiting for a host that is about to start: nobody listens on its ports before it can serve.

use std::io::ErrorKind::{ConnectionRefused, ConnectionReset};
use std::time::{Duration, Instant};

use super::connection::Connection;
use super::error::CallError;
use super::tls::Encryption;
use crate::stderr::remark;

/// Between two attempts. That a port is opened is no event which another process could wait for.
const PAUSE: Duration = Duration::from_millis(50);

/// Connects to `HOST:PORT`, and where nobody listens there tries again for `wait`, which is said.
///
/// # Errors
/// That of the last attempt.
pub(crate) fn connect(
    address: &str,
    timeout: Duration,
    encryption: &Encryption,
    wait: Duration,
) -> Result<Connection, CallError> {
    let mut began: Option<Instant> = None;
    loop {
        let error = match Connection::open(address, timeout, encryption) {
            Ok(connection) => return Ok(connection),
            Err(error) => error,
        };
        let nobody = matches!(
            &error,
            CallError::Connection(error) if matches!(error.kind(), ConnectionRefused | ConnectionReset)
        );
        if !nobody || began.map_or(wait.is_zero(), |began| began.elapsed() >= wait) {
            return Err(error);
        }
        if began.is_none() {
            let wait = humantime::format_duration(wait);
            remark!("logtank: nobody listens on {address}; trying for {wait}, in case a host is starting");
            began = Some(Instant::now());
        }
        std::thread::sleep(PAUSE);
    }
}
