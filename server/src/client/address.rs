//! Where a host is, as typed.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

/// Checks a `HOST:PORT`, for the declaration of a flag.
///
/// # Errors
/// What it lacks.
pub(crate) fn parse(text: &str) -> Result<String, String> {
    let example = "write it as in 127.0.0.1:15000";
    if text.contains("://") {
        return Err(format!("it takes no scheme, only HOST:PORT; {example}"));
    }
    let missing = || format!("the port is missing; {example}");
    let (host, port) = text.rsplit_once(':').ok_or_else(missing)?;
    // `[::1]` and `::1` are addresses without a port.
    if port.ends_with(']') || text.parse::<std::net::Ipv6Addr>().is_ok() {
        return Err(missing());
    }
    if host.is_empty() {
        return Err(format!("the host is missing; {example}"));
    }
    match port.parse::<u16>() {
        Ok(1..) => Ok(text.to_owned()),
        _ => Err(format!("`{port}` is no port: that is a number from 1 to 65535; {example}")),
    }
}

/// The addresses of a `HOST:PORT`, at least one.
///
/// # Errors
/// `NotFound` if the name has none; `TimedOut` if that could not be found out now.
pub(super) fn resolve(address: &str) -> io::Result<Vec<SocketAddr>> {
    let failed = |kind, why: &str| {
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        io::Error::new(kind, format!("the name `{host}` has no address: {why}"))
    };
    match address.to_socket_addrs().map(Iterator::collect::<Vec<_>>) {
        Ok(found) if found.is_empty() => Err(failed(io::ErrorKind::NotFound, "it is not known")),
        Ok(found) => Ok(found),
        Err(error) => {
            let why = error.to_string();
            // The library has no kind for it (EAI_AGAIN), only this text.
            let passes = why.contains("Temporary failure");
            Err(failed(if passes { io::ErrorKind::TimedOut } else { io::ErrorKind::NotFound }, &why))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_its_parts_is_refused_with_a_reason() {
        for (text, said) in [
            ("127.0.0.1", "the port is missing"),
            ("storage", "the port is missing"),
            ("::1", "the port is missing"),
            ("[::1]", "the port is missing"),
            (":15000", "the host is missing"),
            ("127.0.0.1:", "`` is no port"),
            ("127.0.0.1:http", "`http` is no port"),
            ("127.0.0.1:0", "`0` is no port"),
            ("127.0.0.1:70000", "`70000` is no port"),
            ("http://127.0.0.1:15200", "no scheme"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(said) && error.contains("127.0.0.1:15000"), "{text}: {error}");
        }
        for text in ["127.0.0.1:15000", "[::1]:15000", "storage.example:1", "localhost:65535"] {
            assert_eq!(parse(text), Ok(text.to_owned()));
        }
    }
}
