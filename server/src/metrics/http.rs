//! The metrics port: a small HTTP server on a thread of its own, which no ring waits for.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use prometheus_client::registry::Registry;

use super::exposition::{OPEN_METRICS, TEXT, to_text};
use super::{Health, Page};

#[derive(Clone)]
struct Shared {
    registry: Arc<Registry>,
    health: Health,
    page: Page,
}

/// Answers on `listener` from a thread of its own, until the process ends. `prepare_thread` is called there first.
///
/// # Errors
/// If the thread or its runtime can't be made.
pub(crate) fn serve(
    listener: TcpListener,
    registry: Registry,
    health: Health,
    page: Page,
    prepare_thread: impl FnOnce() + Send + 'static,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listener = runtime.block_on(async { tokio::net::TcpListener::from_std(listener) })?;
    let history = page.clone();
    let router = Router::new()
        .route("/", get(|State(shared): State<Shared>| async move { shared.page.html() }))
        .route("/status.json", get(|State(shared): State<Shared>| async move { shared.page.status() }))
        .route("/metrics", get(metrics))
        .route("/healthz", get(|| async { "alive\n" }))
        .route("/readyz", get(ready))
        .with_state(Shared { registry: Arc::new(registry), health, page });
    std::thread::Builder::new().name("metrics".to_owned()).spawn(move || {
        prepare_thread();
        let answered = runtime.block_on(async {
            tokio::spawn(history.keep_history());
            axum::serve(listener, router).await
        });
        if let Err(error) = answered {
            tracing::error!(%error, "the metrics port is closed; restart the host to open it again");
        }
    })?;
    Ok(())
}

/// In OpenMetrics for who asks for it, as Prometheus does; else in the older format, which all tools read.
async fn metrics(State(shared): State<Shared>, headers: HeaderMap) -> impl IntoResponse {
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &shared.registry)
        .expect("a String takes everything");
    let accepts = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    if accepts.into_iter().any(|value| value.contains("application/openmetrics-text")) {
        ([(header::CONTENT_TYPE, OPEN_METRICS)], text)
    } else {
        ([(header::CONTENT_TYPE, TEXT)], to_text(&text))
    }
}

async fn ready(State(shared): State<Shared>) -> impl IntoResponse {
    match shared.health.not_ready() {
        None => (StatusCode::OK, "ready\n".to_owned()),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
    }
}
