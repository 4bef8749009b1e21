use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::engine::Engine;
use super::shape::Shape;
use crate::addresses;

/// Sends batches to a host and measures rate and latency.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Arguments {
    /// The host's writer port.
    #[arg(long, default_value = addresses::WRITER)]
    pub(crate) addr: SocketAddr,
    /// Connections, each with one request under way at a time.
    #[arg(long, default_value_t = 64)]
    pub(crate) connections: usize,
    #[command(flatten)]
    pub(crate) shape: Shape,
    /// Records a second over all connections (open loop). Latency then counts from when a request was due, so that a
    /// stall is not hidden. Without it, each connection sends its next batch when it has the reply (closed loop).
    #[arg(long)]
    pub(crate) rate: Option<f64>,
    /// How long to measure.
    #[arg(long, default_value = "10s", value_parser = humantime::parse_duration)]
    pub(crate) duration: Duration,
    /// How long to run before measuring.
    #[arg(long, default_value = "2s", value_parser = humantime::parse_duration)]
    pub(crate) warm_up: Duration,
    /// Make each request when it is sent, rather than a few before the run that are sent in turn: every record is
    /// another, but making it takes time too.
    #[arg(long)]
    pub(crate) fresh: bool,
    /// Recover all that was written afterwards, and compare it with what was acknowledged (implies --fresh).
    #[arg(long)]
    pub(crate) verify: bool,
    /// The host's reader port, for --verify.
    #[arg(long, default_value = addresses::READER)]
    pub(crate) reader_addr: SocketAddr,
    /// What the connections run on.
    #[arg(long, value_enum, default_value_t = Engine::Auto)]
    pub(crate) engine: Engine,
    /// Never sleep: the generator's own waking up is then not in the latencies, and its processor is always busy.
    #[arg(long)]
    pub(crate) spin: bool,
    /// Stay on this processor.
    #[arg(long, value_name = "CPU")]
    pub(crate) pin: Option<usize>,
    /// Writes the result there as JSON (`-`: to standard output).
    #[arg(long)]
    pub(crate) json: Option<PathBuf>,
}
