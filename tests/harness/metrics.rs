//! What a host tells of itself over HTTP.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// The body of `GET path`.
///
/// # Errors
/// The connection's.
pub fn get(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(60))?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply)?;
    Ok(reply)
}

/// The sum of a metric over its labels; `None` if the host has none of that name or can't be reached.
#[must_use]
pub fn metric(address: SocketAddr, name: &str) -> Option<f64> {
    let reply = get(address, "/metrics").ok()?;
    let values = reply.lines().filter_map(|line| {
        let (key, value) = line.rsplit_once(' ')?;
        let found = key.split('{').next() == Some(name);
        found.then(|| value.parse::<f64>().ok()).flatten()
    });
    values.reduce(|sum, value| sum + value)
}
