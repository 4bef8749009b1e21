use std::io::Result;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::reader::Reader;
use crate::{addresses, output};

/// Recovers an index and measures how fast its pages come.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Arguments {
    /// The host's reader port.
    #[arg(long, default_value = addresses::READER)]
    addr: SocketAddr,
    /// How many times.
    #[arg(long, default_value_t = 1)]
    times: usize,
    /// Writes the results there as JSON (`-`: to standard output).
    #[arg(long)]
    json: Option<PathBuf>,
    /// The index to recover.
    index: String,
}

/// What a recovery measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Recovered {
    pub(crate) pages: u64,
    /// As they come over the wire.
    pub(crate) bytes: u64,
    /// In all.
    pub(crate) seconds: f64,
    /// Waiting for pages: without what this side did with them.
    pub(crate) waited_seconds: f64,
    /// While waiting.
    pub(crate) bytes_per_second: f64,
}

/// Recovers once.
///
/// # Errors
/// The host's refusal, or a broken connection.
pub(crate) fn recover(addr: SocketAddr, index: &str) -> Result<Recovered> {
    let began = Instant::now();
    let mut reader = Reader::connect(addr, index)?;
    let (mut pages, mut bytes) = (0, 0);
    while let Some(page) = reader.next_page()? {
        pages += 1;
        bytes += page.len() as u64;
    }
    let waited = reader.waited.max(Duration::from_nanos(1)).as_secs_f64();
    Ok(Recovered {
        pages,
        bytes,
        seconds: began.elapsed().as_secs_f64(),
        waited_seconds: waited,
        bytes_per_second: bytes as f64 / waited,
    })
}

/// Recovers as often as asked for, and reports.
///
/// # Errors
/// As [`recover`].
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let mut results = Vec::new();
    for _ in 0..arguments.times {
        let result = recover(arguments.addr, &arguments.index)?;
        println!(
            "{} pages, {:.1} MB in {:.3} s, {:.1} MB/s while waiting for pages",
            result.pages,
            result.bytes as f64 / 1e6,
            result.seconds,
            result.bytes_per_second / 1e6
        );
        results.push(result);
    }
    output::json(arguments.json.as_deref(), &results)
}
