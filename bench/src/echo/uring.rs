use std::io::Result;
use std::net::TcpStream;
use std::time::Duration;

use bytes::Bytes;
use logtank_os::ring::{Arrived, BareRing, RingConfig, on_bare_ring};

/// Replies that one send may hold.
const REPLIES_AT_ONCE: usize = 4096;

#[derive(Clone, Default)]
struct Peer {
    /// Bytes of the request in progress.
    received: usize,
    /// Replies to be sent next.
    owed: usize,
    sending: bool,
    listed: bool,
}

/// The host's ring and buffers, and nothing behind them: answers each `request_bytes` received, whatever they are, with
/// `reply_bytes`, until its peers have closed all connections.
///
/// # Errors
/// If the ring can't be set up.
pub(crate) fn serve(
    config: &RingConfig,
    sockets: &[TcpStream],
    request_bytes: usize,
    reply_bytes: usize,
) -> Result<()> {
    on_bare_ring(config, sockets, |ring| {
        let replies = Bytes::from(vec![b'.'; reply_bytes * REPLIES_AT_ONCE]);
        let mut peers = vec![Peer::default(); sockets.len()];
        let mut open = peers.len();
        // Those with something new, in the order in which it came.
        let mut listed = Vec::new();
        while open > 0 {
            open -= take(ring, &mut peers, &mut listed, request_bytes)?;
            for connection in listed.drain(..) {
                let peer = &mut peers[connection];
                peer.listed = false;
                if peer.sending || peer.owed == 0 {
                    continue;
                }
                let count = peer.owed.min(REPLIES_AT_ONCE);
                peer.owed -= count;
                peer.sending = true;
                ring.send(connection, replies.slice(..count * reply_bytes))?;
            }
            ring.wait(Duration::from_secs(1))?;
        }
        Ok(())
    })
}

/// Counts what has arrived; returns how many connections ended.
fn take(
    ring: &mut BareRing<'_>,
    peers: &mut [Peer],
    listed: &mut Vec<usize>,
    request_bytes: usize,
) -> Result<usize> {
    let mut ended = 0;
    while let Some((connection, arrived)) = ring.next()? {
        let peer = &mut peers[connection];
        match arrived {
            Arrived::Bytes(bytes) => {
                peer.received += bytes.len();
                peer.owed += peer.received / request_bytes;
                peer.received %= request_bytes;
            }
            Arrived::Sent => peer.sending = false,
            Arrived::Closed(_) => ended += 1,
        }
        if !std::mem::replace(&mut peer.listed, true) {
            listed.push(connection);
        }
    }
    Ok(ended)
}
