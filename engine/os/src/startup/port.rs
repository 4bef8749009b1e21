use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::startup_error::StartupError;

/// Between two tries. A process that is killed with sockets registered in a ring holds its ports 20 to 50 ms longer
/// than it lives.
const RETRY_EVERY: Duration = Duration::from_millis(20);

/// Calls `bind` until it gets the port, for `wait`, once at least. Blocks.
///
/// # Errors
/// If the port is taken all the time, or at once if the address can't be bound for another reason.
pub fn bind_patiently<T>(
    address: SocketAddr,
    wait: Duration,
    mut bind: impl FnMut() -> io::Result<T>,
) -> Result<T, StartupError> {
    let began = Instant::now();
    loop {
        match bind() {
            Ok(bound) => return Ok(bound),
            Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
                return Err(StartupError::Port { address, source: error });
            }
            // Nobody tells when a port becomes free.
            Err(_) if began.elapsed() < wait => std::thread::sleep(RETRY_EVERY),
            Err(_) => return Err(StartupError::PortTaken { address }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

    #[test]
    fn a_port_that_becomes_free_is_got() {
        let first = TcpListener::bind(ANY).unwrap();
        let address = first.local_addr().unwrap();
        let mut first = Some(first);
        let mut tries = 0;
        let second = bind_patiently(address, Duration::from_secs(10), || {
            tries += 1;
            if tries == 3 {
                first = None;
            }
            TcpListener::bind(address)
        });
        assert_eq!(second.unwrap().local_addr().unwrap(), address);
        assert_eq!(tries, 3);
    }

    #[test]
    fn a_port_that_stays_taken_is_named() {
        let first = TcpListener::bind(ANY).unwrap();
        let address = first.local_addr().unwrap();
        let error = bind_patiently(address, Duration::ZERO, || TcpListener::bind(address)).unwrap_err();
        assert!(matches!(error, StartupError::PortTaken { .. }));
        assert!(error.to_string().starts_with(&format!("{address} can't be listened on")), "{error}");
    }

    #[test]
    fn an_address_of_another_machine_is_not_tried_again() {
        let address: SocketAddr = "192.0.2.1:15000".parse().unwrap();
        let mut tries = 0;
        let error = bind_patiently(address, Duration::from_secs(60), || {
            tries += 1;
            TcpListener::bind(address)
        });
        assert!(error.unwrap_err().to_string().contains("an address that this machine has"));
        assert_eq!(tries, 1);
    }
}
