//! The metrics port: a small HTTP server on a thread of its own, which no ring waits for.

use std::io;
use std::net::TcpListener;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use logtank_os::tls::TlsConfig;

use super::{Exporter, Names, Page, connections};

#[derive(Clone)]
struct Shared {
    exporter: Exporter,
    page: Page,
    /// `None` where the connection is encrypted: the certificate is for the host's own names.
    names: Option<Names>,
}

impl Shared {
    /// What holds names of indexes, for who asked by a name of this host.
    fn shown<R: IntoResponse>(&self, headers: &HeaderMap, what: impl FnOnce(&Page) -> R) -> Response {
        let host = headers.get(header::HOST).map(header::HeaderValue::as_bytes);
        if self.names.as_ref().is_none_or(|names| names.admit(host)) {
            return what(&self.page).into_response();
        }
        let why = "the page is not shown under this name, which could be another's: ask by the address, or name it in \
                   metrics_names\n";
        (StatusCode::MISDIRECTED_REQUEST, why).into_response()
    }
}

/// Answers on `listener` from a thread of its own, until the process ends. `prepare_thread` is called there first.
///
/// # Errors
/// If the thread or its runtime can't be made.
pub(crate) fn serve(
    listener: TcpListener,
    tls: Option<&TlsConfig>,
    exporter: Exporter,
    page: Page,
    names: Names,
    prepare_thread: impl FnOnce() + Send + 'static,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listener = runtime.block_on(async { tokio::net::TcpListener::from_std(listener) })?;
    let history = page.clone();
    let router = Router::new()
        .route("/", get(html))
        .route("/status.json", get(status))
        .route("/metrics", get(metrics))
        .route("/healthz", get(|| async { "alive\n" }))
        .route("/readyz", get(ready))
        .route("/startedz", get(started))
        .with_state(Shared { exporter, page, names: tls.is_none().then_some(names) });
    let tls = tls.map(TlsConfig::rustls);
    std::thread::Builder::new().name("metrics".to_owned()).spawn(move || {
        prepare_thread();
        runtime.block_on(async {
            tokio::spawn(history.keep_history());
            connections::accept(listener, tls, router).await;
        });
    })?;
    Ok(())
}

async fn html(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    shared.shown(&headers, Page::html)
}

async fn status(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    shared.shown(&headers, Page::status)
}

async fn metrics(State(shared): State<Shared>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], shared.exporter.page())
}

async fn started(State(shared): State<Shared>) -> impl IntoResponse {
    if shared.exporter.health.is_started() {
        (StatusCode::OK, "started\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "starting\n")
    }
}

async fn ready(State(shared): State<Shared>) -> impl IntoResponse {
    match shared.exporter.health.not_ready() {
        None => (StatusCode::OK, "ready\n".to_owned()),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
    }
}
