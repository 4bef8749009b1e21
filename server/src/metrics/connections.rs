//! Connections of the metrics port: not many, each with bounded patience, encrypted or not.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::serve::Listener;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use logtank_engine::connection_places::Full;
use logtank_os::clock::mono;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use super::dateless::{answer_one, has_date};
use crate::port_places::PortPlaces;

/// At once; beyond that one that rests has to go. A handful of scrapers and people is what there is.
const CONNECTIONS_MAX: usize = 256;
/// For a handshake, for the head of a request, for taking the last response.
const PATIENCE: Duration = Duration::from_secs(10);
/// Then a connection ends behind the response under way: a peer that takes none can't hold its place for ever.
const LIFETIME: Duration = Duration::from_secs(600);

/// Takes connections for ever, each on a task of its own.
pub(super) async fn accept(mut listener: TcpListener, tls: Option<Arc<ServerConfig>>, router: Router) {
    let acceptor = tls.map(TlsAcceptor::from);
    let places = Arc::new(Mutex::new(PortPlaces::new(CONNECTIONS_MAX)));
    loop {
        // Errors are waited out by this method of the library.
        let (stream, peer) = Listener::accept(&mut listener).await;
        match lock(&places).make_room(peer.ip(), mono()) {
            Ok(None) => {}
            Ok(Some(least)) => least.abort(),
            Err(Full) => continue,
        }
        let (acceptor, router) = (acceptor.clone(), router.clone());
        let number = lock(&places).number();
        let place = Place { number, places: places.clone() };
        let task = tokio::spawn(async move {
            match acceptor {
                None => converse(stream, router, &place).await,
                Some(acceptor) => {
                    // Whoever is not trusted, or gone, has been told, or can't be.
                    if let Ok(Ok(stream)) = timeout(PATIENCE, acceptor.accept(stream)).await {
                        converse(stream, router, &place).await;
                    }
                }
            }
        });
        // The task has not begun: it runs on this thread, which has not waited since.
        lock(&places).come(number, peer.ip(), task.abort_handle(), mono());
    }
}

type AllPlaces = Arc<Mutex<PortPlaces<AbortHandle>>>;

fn lock(places: &AllPlaces) -> MutexGuard<'_, PortPlaces<AbortHandle>> {
    places.lock().expect("nobody panics while holding it")
}

/// A connection's own; it is free again when this goes, also with a task that is ended.
struct Place {
    number: u64,
    places: AllPlaces,
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.places).gone(self.number);
    }
}

async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
    place: &Place,
) {
    let router = TowerToHyperService::new(router);
    if !has_date(SystemTime::now()) {
        let _ = timeout(PATIENCE, answer_one(stream, router)).await;
        return;
    }
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    let answer = service_fn(|request| {
        lock(&place.places).asks(place.number);
        let answer = router.call(request);
        async {
            let answer = answer.await;
            lock(&place.places).is_answered(place.number, mono());
            answer
        }
    });
    let connection = builder.serve_connection(TokioIo::new(stream), answer);
    let mut connection = pin!(connection);
    // What goes wrong on a connection is its peer's affair.
    if timeout(LIFETIME, connection.as_mut()).await.is_err() {
        connection.as_mut().graceful_shutdown();
        let _ = timeout(PATIENCE, connection).await;
    }
}
