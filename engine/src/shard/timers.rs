//! Time limits of connections, looked at once a second: coarse, and cheap for ten thousand of them.

use std::time::Duration;

use super::Shard;
use super::connections::Phase;
use crate::time::Now;

const SCAN_EVERY: Duration = Duration::from_secs(1);

impl Shard {
    /// Closes connections whose time is up: a message begun and not finished, nothing at all for long, replies not
    /// taken by a peer that is finishing.
    pub(super) fn scan_if_due(&mut self, now: Now) {
        if now.mono < self.next_scan {
            return;
        }
        self.next_scan = now.mono + SCAN_EVERY;
        let (message_timeout, idle_timeout) = (self.config.message_timeout, self.config.idle_timeout);
        let mut expired = Vec::new();
        // While nothing is received, no message can be finished: that is not the peer's fault.
        let receiving = self.may_receive();
        for connection in self.connections.iter_mut() {
            let peer = &connection.peer;
            let late = receiving
                && !peer.paused
                && peer.message_begun.is_some_and(|begun| now.mono.since(begun) >= message_timeout);
            // One that is owed a reply is not idle: it is we (or the drive) who are slow. One that does not take its
            // replies is.
            let owed = peer.waiting > 0;
            let idle = idle_timeout.is_some_and(|timeout| !owed && now.mono.since(peer.active) >= timeout);
            let stuck = peer.sending.is_some() && now.mono.since(peer.active) >= message_timeout;
            let finished = peer.expires.is_some_and(|expires| now.mono >= expires);
            if peer.phase != Phase::Closing && (late || idle || stuck || finished) {
                expired.push(peer.id);
            }
        }
        for id in expired {
            self.metrics.connections_timed_out.add(1);
            self.close(id);
        }
    }
}
