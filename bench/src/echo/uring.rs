use std::io::Result;
use std::net::TcpStream;
use std::time::Duration;

use logtank_os::ring::{RingConfig, run_echo};

/// The host's ring and buffers, and nothing behind them.
pub(super) fn serve(
    sockets: Vec<TcpStream>,
    request_bytes: usize,
    reply_bytes: usize,
    busy_poll: Duration,
) -> Result<()> {
    let config = RingConfig { busy_poll, ..RingConfig::default() };
    run_echo(&config, sockets.into_iter().map(Into::into).collect(), request_bytes, reply_bytes)
}
