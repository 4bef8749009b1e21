//! The metrics port, encrypted.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::Listener;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;

/// For agreeing on the encryption.
const AGREE_PATIENCE: Duration = Duration::from_secs(10);
/// Connections that may be agreeing at once; further ones wait for their turn.
const AGREEING_MAX: usize = 64;

type Accepted = (TlsStream<TcpStream>, SocketAddr);

/// Hands out connections that have agreed; a slow one holds up no other.
pub(super) struct SecuredListener {
    accepted: mpsc::Receiver<Accepted>,
    address: SocketAddr,
}

impl SecuredListener {
    /// Accepts on the runtime that this is called on.
    ///
    /// # Errors
    /// The system's, if the port is closed already.
    pub(super) fn new(listener: TcpListener, config: Arc<ServerConfig>) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (to_server, accepted) = mpsc::channel(1);
        tokio::spawn(accept(listener, TlsAcceptor::from(config), to_server));
        Ok(Self { accepted, address })
    }
}

async fn accept(mut listener: TcpListener, acceptor: TlsAcceptor, to_server: mpsc::Sender<Accepted>) {
    let turns = Arc::new(Semaphore::new(AGREEING_MAX));
    loop {
        // Errors are waited out by this method of the library.
        let (stream, address) = Listener::accept(&mut listener).await;
        let turn = turns.clone().acquire_owned().await.expect("the semaphore is never closed");
        let (acceptor, to_server) = (acceptor.clone(), to_server.clone());
        tokio::spawn(async move {
            let agreed = timeout(AGREE_PATIENCE, acceptor.accept(stream)).await;
            drop(turn);
            // Whoever is not trusted, or gone, has been told, or can't be.
            if let Ok(Ok(stream)) = agreed {
                let _ = to_server.send((stream, address)).await;
            }
        });
    }
}

impl Listener for SecuredListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> Accepted {
        self.accepted.recv().await.expect("the task that accepts never ends")
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}
