//! The host's own kind of ring, so that the generator costs no more than what it measures.

use std::io::Result;
use std::net::TcpStream;
use std::time::Duration;

use logtank_os::ring::{Arrived, RingConfig, on_bare_ring};

use super::clients::{Clients, Turn};

/// Drives `clients` over these sockets until it wants to end.
///
/// # Errors
/// If the ring can't be set up.
pub(super) fn run(config: &RingConfig, sockets: &[TcpStream], clients: &mut dyn Clients) -> Result<()> {
    on_bare_ring(config, sockets, |ring| {
        let mut outbox = Vec::new();
        loop {
            while let Some((connection, arrived)) = ring.next()? {
                match arrived {
                    Arrived::Bytes(bytes) => clients.received(connection, bytes),
                    Arrived::Closed(why) => clients.closed(connection, why),
                    Arrived::Sent => {}
                }
            }
            let next = clients.turn(&mut outbox);
            for (connection, request) in outbox.drain(..) {
                ring.send(connection, request)?;
            }
            match next {
                Turn::Wait(patience) => ring.wait(patience)?,
                Turn::Poll => ring.wait(Duration::ZERO)?,
                Turn::End => return Ok(()),
            }
        }
    })
}
