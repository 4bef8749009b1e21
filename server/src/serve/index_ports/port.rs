//! One of the two ports: accepts, counts, and gives each connection a task.

use std::cell::Cell;
use std::net::TcpListener;
use std::rc::Rc;
use std::time::{Duration, Instant};

use logtank_engine::error::is_shortage;
use logtank_os::tls::TlsConfig;
use tokio::sync::{Notify, watch};

use super::calls::Answerer;
use super::connection::{Bounds, Remote, Reports, serve};
use super::held::Held;
use super::stream::Stream;
use super::turns::Turns;
use crate::metrics::HostMetrics;
use crate::serve::listeners;

/// Between two log lines about connections that were not accepted.
const REPORT_EVERY: Duration = Duration::from_secs(10);

/// A listener and what its connections are served by.
pub(super) struct Port {
    pub(super) name: &'static str,
    pub(super) listener: TcpListener,
    pub(super) tls: Option<TlsConfig>,
    pub(super) answerer: Rc<Answerer>,
    pub(super) bounds: Bounds,
    pub(super) metrics: HostMetrics,
    pub(super) open: Rc<Open>,
    pub(super) turns: Rc<Turns>,
    pub(super) held: Rc<Held>,
}

/// How many connections there are, over both ports.
#[derive(Debug, Default)]
pub(super) struct Open {
    count: Cell<usize>,
    closed: Notify,
}

impl Open {
    /// Completes when there are none.
    pub(super) async fn none(&self) {
        while self.count.get() > 0 {
            self.closed.notified().await;
        }
    }
}

impl Port {
    /// Accepts until the host stops.
    ///
    /// # Errors
    /// If the port fails for good.
    pub(super) async fn accept(self, stop: watch::Receiver<bool>) -> anyhow::Result<()> {
        let own = Rc::new(Cell::new(0usize));
        let listener = tokio_uring::net::TcpListener::from_std(self.listener);
        let mut reported: Option<Instant> = None;
        let reports = Rc::new(Reports::default());
        loop {
            let accepted = listener.accept().await;
            if *stop.borrow() {
                return Ok(());
            }
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) if is_shortage(&error) => {
                    tracing::error!(port = self.name, %error, "no more connections can be taken until some are closed; raise the limit of open files");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    continue;
                }
                Err(error) if listeners::is_peers(&error) => continue,
                Err(error) if listeners::is_broken(&error) => {
                    anyhow::bail!("the {}'s port can't be listened on any more: {error}", self.name)
                }
                Err(error) => {
                    if reported.is_none_or(|at| at.elapsed() >= REPORT_EVERY) {
                        reported = Some(Instant::now());
                        tracing::warn!(port = self.name, %error, "a connection was not accepted");
                    }
                    tokio::time::sleep(listeners::ERROR_PAUSE).await;
                    continue;
                }
            };
            if own.get() >= self.bounds.connections_max {
                self.metrics.index_connections_refused.of([self.name]).add(1);
                continue;
            }
            own.set(own.get() + 1);
            self.open.count.set(self.open.count.get() + 1);
            self.metrics.index_connections.of([self.name]).set(own.get() as u64);
            let stream = Stream::new(stream, peer.ip().to_canonical(), self.tls.as_ref(), self.held.share());
            let turns = self.turns.clone();
            let (answerer, bounds, stop) = (self.answerer.clone(), self.bounds, stop.clone());
            let (own, open) = (own.clone(), self.open.clone());
            let (metrics, name) = (self.metrics.clone(), self.name);
            let remote = Remote { port: name, peer, metrics: metrics.clone(), reports: reports.clone() };
            tokio_uring::spawn(async move {
                serve(stream, &answerer, bounds, &turns, &remote, stop).await;
                own.set(own.get() - 1);
                open.count.set(open.count.get() - 1);
                open.closed.notify_one();
                metrics.index_connections.of([name]).set(own.get() as u64);
            });
        }
    }
}
