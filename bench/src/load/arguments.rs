use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Sends batches to a host and measures rate and latency.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Arguments {
    /// The host's writer port.
    #[arg(long, default_value = "127.0.0.1:15000")]
    pub(crate) addr: SocketAddr,
    /// Connections, each with one request under way at a time.
    #[arg(long, default_value_t = 64)]
    pub(crate) connections: usize,
    /// Records of a batch.
    #[arg(long, default_value_t = 1)]
    pub(crate) batch: usize,
    /// Bytes of a record as it is sent, at least 64.
    #[arg(long, default_value_t = 1024)]
    pub(crate) record_bytes: usize,
    /// Indexes that the records go to, in turn.
    #[arg(long, default_value_t = 100)]
    pub(crate) indexes: usize,
    /// Documents of each index that are updated, in turn.
    #[arg(long, default_value_t = 10_000)]
    pub(crate) documents: usize,
    /// Records a second over all connections. Latency then counts from when a request was due, so that a stall is
    /// not hidden. Without it, each connection sends its next batch when it has the reply (closed loop).
    #[arg(long)]
    pub(crate) rate: Option<f64>,
    /// How long to measure.
    #[arg(long, default_value = "10s", value_parser = humantime::parse_duration)]
    pub(crate) duration: Duration,
    /// How long to run before measuring.
    #[arg(long, default_value = "2s", value_parser = humantime::parse_duration)]
    pub(crate) warm_up: Duration,
    /// Writes the result there as JSON (`-`: to standard output).
    #[arg(long)]
    pub(crate) json: Option<PathBuf>,
}
