//! For which names the host shows its page.
//!
//! A web page of somebody else's, in the browser of a person who can reach this port, can have its own name lead here
//! after it was loaded, and would then read what it asks for. The browser still says that name. Only what holds names
//! of indexes is kept from it: scrapers and probes are answered whatever they call the host.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// Names that the page is shown for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names(Arc<[String]>);

impl Names {
    /// Those that were configured, beside the ones that nobody else can have: addresses, `localhost`, and names without
    /// a dot, which only the network's own administrators give.
    pub(crate) fn new(configured: &[String]) -> Self {
        let mut names: Vec<String> = configured.iter().map(|name| normal(name)).collect();
        names.extend(
            std::fs::read_to_string("/proc/sys/kernel/hostname").iter().map(|name| normal(name.trim())),
        );
        Self(names.into())
    }

    /// Whether a request with this Host header may have the page. Without one it is no browser's.
    pub(crate) fn admit(&self, host: Option<&[u8]>) -> bool {
        let Some(host) = host else { return true };
        let Some(name) = std::str::from_utf8(host).ok().and_then(without_port).map(normal) else {
            return false;
        };
        let address = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        name.parse::<Ipv4Addr>().is_ok()
            || address.is_some_and(|address| address.parse::<Ipv6Addr>().is_ok())
            || (!name.is_empty() && !name.contains(['.', '[']))
            || name.ends_with(".localhost")
            || self.0.contains(&name)
    }
}

/// Of `name`, `name:80`, `[::1]:80`; `None` of anything else.
fn without_port(host: &str) -> Option<&str> {
    let end = if host.starts_with('[') { host.find(']')? + 1 } else { host.find(':').unwrap_or(host.len()) };
    let (name, port) = host.split_at(end);
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '[' | ']' | ':');
    (port.is_empty() || port.strip_prefix(':').is_some_and(is_port)).then_some(())?;
    name.chars().all(is_name).then_some(name)
}

/// Upper and lower case are one, and a dot at the end changes nothing.
fn normal(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_nobody_else_can_have_get_the_page() {
        let names = Names::new(&["Status.Example.com".to_owned()]);
        let admitted = |host: &str| names.admit(Some(host.as_bytes()));
        for host in [
            "127.0.0.1:15200",
            "10.0.0.5",
            "[::1]:15200",
            "[fe80::1]",
            "localhost",
            "LOCALHOST:1",
            "localhost.:15200",
            "a.localhost",
            "storage-3:15200",
            "status.example.com",
            "status.EXAMPLE.com.:443",
        ] {
            assert!(admitted(host), "{host}");
        }
        for host in [
            "evil.example.com",
            "127.0.0.1.evil.com",
            "localhost.evil.com",
            "status.example.com.evil.com",
            "evil.com:15200",
            "1.2.3.4.5",
            "[::1].evil.com",
            "",
            ".",
            "a b",
            "user@evil.com",
            "localhost@evil.com",
            "localhost:1:evil.com",
            "[::1",
            "[::1]x",
            "localhost:x",
        ] {
            assert!(!admitted(host), "{host}");
        }
        assert!(names.admit(None), "HTTP/1.0");
    }
}
