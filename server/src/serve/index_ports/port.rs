//! One of the two ports: accepts, counts, and gives each connection a task.

use std::cell::Cell;
use std::net::TcpListener;
use std::rc::Rc;
use std::time::Duration;

use logtank_engine::error::is_shortage;
use logtank_os::tls::TlsConfig;
use tokio::sync::{Notify, watch};

use super::calls::Answerer;
use super::connection::{Bounds, serve};
use super::stream::Stream;
use crate::metrics::HostMetrics;

/// A listener and what its connections are served by.
pub(super) struct Port {
    pub(super) name: &'static str,
    pub(super) listener: TcpListener,
    pub(super) tls: Option<TlsConfig>,
    pub(super) answerer: Rc<Answerer>,
    pub(super) bounds: Bounds,
    pub(super) metrics: HostMetrics,
    pub(super) open: Rc<Open>,
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
        loop {
            let accepted = listener.accept().await;
            if *stop.borrow() {
                return Ok(());
            }
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) if is_shortage(&error) => {
                    tracing::error!(port = self.name, %error, "no more connections can be taken until some are closed; raise the limit of open files");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    continue;
                }
                Err(error) if is_peers(&error) => continue,
                Err(error) => {
                    anyhow::bail!("the {}'s port can't be listened on any more: {error}", self.name)
                }
            };
            if own.get() >= self.bounds.connections_max {
                self.metrics.index_connection_refused(self.name);
                continue;
            }
            // The peer may be gone already: the first receive will tell.
            let _ = stream.set_nodelay(true);
            own.set(own.get() + 1);
            self.open.count.set(self.open.count.get() + 1);
            self.metrics.index_connections(self.name, own.get());
            let stream = Stream::new(stream, self.tls.as_ref());
            let (answerer, bounds, stop) = (self.answerer.clone(), self.bounds, stop.clone());
            let (own, open) = (own.clone(), self.open.clone());
            let (metrics, name) = (self.metrics.clone(), self.name);
            tokio_uring::spawn(async move {
                serve(stream, &answerer, bounds, stop).await;
                own.set(own.get() - 1);
                open.count.set(open.count.get() - 1);
                open.closed.notify_one();
                metrics.index_connections(name, own.get());
            });
        }
    }
}

fn is_peers(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}
