//! One of the two ports: accepts, and gives each connection a task.

use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;

use logtank_os::tls::TlsConfig;
use tokio::sync::watch;
use tokio_uring::net::TcpStream;

use super::calls::Answerer;
use super::connection::{Bounds, serve};
use super::conversation::Conversation;
use super::ending::Ending;
use super::held::Held;
use super::remote::{Remote, Reports};
use super::seats::Seats;
use super::stream::Stream;
use super::turns::Turns;
use crate::metrics::HostMetrics;
use crate::serve::not_accepted::NotAccepted;

/// What the connections of a port are served by.
pub(super) struct Port {
    pub(super) name: &'static str,
    pub(super) tls: Option<TlsConfig>,
    pub(super) answerer: Rc<Answerer>,
    pub(super) bounds: Bounds,
    pub(super) metrics: HostMetrics,
    pub(super) seats: Rc<Seats>,
    pub(super) turns: Rc<Turns>,
    pub(super) held: Rc<Held>,
}

impl Port {
    /// Accepts until the host stops.
    ///
    /// # Errors
    /// If the port fails for good.
    pub(super) async fn accept(
        self,
        listener: TcpListener,
        stop: watch::Receiver<bool>,
    ) -> anyhow::Result<()> {
        let listener = tokio_uring::net::TcpListener::from_std(listener);
        let (reports, mut not_accepted) = (Rc::new(Reports::default()), NotAccepted::new(self.name));
        loop {
            let accepted = listener.accept().await;
            if *stop.borrow() {
                return Ok(());
            }
            match accepted {
                Ok((socket, peer)) => self.welcome(socket, peer, &reports, &stop),
                Err(error) => tokio::time::sleep(not_accepted.pause(&error)?).await,
            }
        }
    }

    /// Serves one connection, if there is a place for it.
    fn welcome(
        &self,
        socket: TcpStream,
        peer: SocketAddr,
        reports: &Rc<Reports>,
        stop: &watch::Receiver<bool>,
    ) {
        // Closing is all that a refusal can say before the peer has spoken.
        let Some(seat) = self.seats.admit(peer.ip()) else { return };
        let stream = Stream::new(socket, peer.ip().to_canonical(), self.tls.as_ref(), self.held.share());
        let ending = Ending::new(stop.clone(), stream.shed(), seat.leave());
        let conversation = Conversation::new(stream, seat, ending, self.bounds);
        let remote = Remote::new(self.name, peer, self.metrics.clone(), reports.clone());
        let (answerer, turns) = (self.answerer.clone(), self.turns.clone());
        tokio_uring::spawn(async move { serve(conversation, &answerer, &turns, &remote).await });
    }
}
