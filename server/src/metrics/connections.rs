//! Connections of the metrics port: not many, each with bounded patience, encrypted or not.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

/// At once; who comes beyond that is not taken. A handful of scrapers and people is what there is.
const CONNECTIONS_MAX: usize = 256;
/// For a handshake, for the head of a request, for taking the last response.
const PATIENCE: Duration = Duration::from_secs(10);
/// Then a connection ends behind the response under way: a peer that takes none can't hold its place for ever.
const LIFETIME: Duration = Duration::from_secs(600);

/// Takes connections for ever, each on a task of its own.
pub(super) async fn accept(mut listener: TcpListener, tls: Option<Arc<ServerConfig>>, router: Router) {
    let acceptor = tls.map(TlsAcceptor::from);
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        // Errors are waited out by this method of the library.
        let (stream, _) = Listener::accept(&mut listener).await;
        let Ok(place) = places.clone().try_acquire_owned() else { continue };
        let (acceptor, router) = (acceptor.clone(), router.clone());
        tokio::spawn(async move {
            match acceptor {
                None => converse(stream, router).await,
                Some(acceptor) => {
                    // Whoever is not trusted, or gone, has been told, or can't be.
                    if let Ok(Ok(stream)) = timeout(PATIENCE, acceptor.accept(stream)).await {
                        converse(stream, router).await;
                    }
                }
            }
            drop(place);
        });
    }
}

async fn converse(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, router: Router) {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = pin!(connection);
    // What goes wrong on a connection is its peer's affair.
    if timeout(LIFETIME, connection.as_mut()).await.is_err() {
        connection.as_mut().graceful_shutdown();
        let _ = timeout(PATIENCE, connection).await;
    }
}
