//! What a host tells about itself: / for people, /metrics for Prometheus, /healthz and /readyz for whoever starts and
//! watches it.

mod connections;
mod damaged;
mod dateless;
mod exporter;
mod exposition;
mod health;
mod heartbeats;
mod host;
mod http;
mod names;
mod page;
mod process;

pub(crate) use exporter::Exporter;
pub(crate) use health::Health;
pub(crate) use heartbeats::{Beat, Heartbeats, IDLE_MAX};
pub(crate) use host::{HostMetrics, METHODS};
pub(crate) use http::serve;
pub(crate) use names::Names;
pub(crate) use page::{Page, Slowest, Sources};
