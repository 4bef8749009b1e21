//! Who is at the other end of a connection, and what is reported of it.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use logtank_wire::inbound::ProtocolError;

use super::ending::End;
use crate::metrics::HostMetrics;

/// Between two log lines about peers that can't be understood.
const REPORT_EVERY: Duration = Duration::from_secs(10);

/// The peer of a connection.
pub(super) struct Remote {
    port: &'static str,
    peer: SocketAddr,
    metrics: HostMetrics,
    reports: Rc<Reports>,
}

/// Keeps peers that can't be understood from filling the log.
#[derive(Debug, Default)]
pub(super) struct Reports {
    last: Cell<Option<Instant>>,
    /// Since then, not reported.
    more: Cell<u64>,
}

impl Remote {
    pub(super) const fn new(
        port: &'static str,
        peer: SocketAddr,
        metrics: HostMetrics,
        reports: Rc<Reports>,
    ) -> Self {
        Self { port, peer, metrics, reports }
    }

    /// The peer's bytes can't be parsed.
    pub(super) fn is_not_understood(&self, why: &ProtocolError) {
        self.metrics.index_protocol_errors.of([self.port]).add(1);
        self.report(why);
    }

    /// The connection has ended.
    pub(super) fn has_ended(&self, end: &End) {
        match end {
            End::Shed => self.metrics.index_connections_shed.of([self.port]).add(1),
            End::GaveWay => self.metrics.index_connections_gave_way.of([self.port]).add(1),
            // Other errors are those of a peer that is gone.
            End::Unsecured(error) if error.kind() == io::ErrorKind::InvalidData => {
                self.metrics.index_tls_failures.of([self.port]).add(1);
                self.report(error);
            }
            End::Stopped | End::Gone | End::Unsecured(_) => {}
        }
    }

    fn report(&self, why: &dyn std::fmt::Display) {
        let Reports { last, more } = &*self.reports;
        if last.get().is_some_and(|at| at.elapsed() < REPORT_EVERY) {
            more.set(more.get() + 1);
            return;
        }
        last.set(Some(Instant::now()));
        tracing::warn!(
            port = self.port,
            peer = %self.peer,
            unreported = more.take(),
            "a connection can't be understood and is closed: {why}"
        );
    }
}
