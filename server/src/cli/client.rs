use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueHint};

use super::defaults::{MANAGER_ADDR, METRICS_ADDR, READER_ADDR, WRITER_ADDR};
use crate::client::address;

/// How to reach a host whose ports are encrypted.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Encryption")]
pub(crate) struct TlsArgs {
    /// Encrypt, and trust a host whose certificate one of these authorities signed (PEM).
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) tls_ca: Option<PathBuf>,
    /// The certificate to show to the host (PEM).
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "tls_key", requires = "tls_ca")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Its private key (PEM, not encrypted).
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// The name that the host's certificate must have [default: the address's]
    #[arg(long, value_name = "NAME", requires = "tls_ca")]
    pub(crate) tls_name: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct WriteArgs {
    /// The host's writer port.
    #[arg(long, value_name = "HOST:PORT", default_value = WRITER_ADDR, value_parser = address::parse)]
    pub(crate) addr: String,
    /// The index that the records belong to.
    #[arg(long, value_name = "CODE")]
    pub(crate) index: String,
    /// Records sent in one batch.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=16_384))]
    pub(crate) batch_records: u32,
    /// Where nobody listens, try again for this long: a host that starts opens its ports last.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = humantime::parse_duration)]
    pub(crate) wait: Duration,
    /// Give up on a reply after this long.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = humantime::parse_duration)]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) tls: TlsArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ReadArgs {
    /// The host's reader port.
    #[arg(long, value_name = "HOST:PORT", default_value = READER_ADDR, value_parser = address::parse)]
    pub(crate) addr: String,
    /// Where nobody listens at the beginning, try again for this long: a host that starts opens its ports last.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = humantime::parse_duration)]
    pub(crate) wait: Duration,
    /// Attempts for one page; between them 1, 3, 9, 27, then 60 seconds pass. What can't pass by itself is not tried
    /// again, and with 1 nothing is.
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) attempts: u32,
    /// Give up on a reply after this long.
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = humantime::parse_duration)]
    pub(crate) timeout: Duration,
    /// The index to recover.
    #[arg(value_name = "INDEX")]
    pub(crate) index: String,
    #[command(flatten)]
    pub(crate) tls: TlsArgs,
}

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// The host's manager port.
    #[arg(long, value_name = "HOST:PORT", default_value = MANAGER_ADDR, value_parser = address::parse)]
    pub(crate) manager_addr: String,
    /// The host's metrics port.
    #[arg(long, value_name = "HOST:PORT", default_value = METRICS_ADDR, value_parser = address::parse)]
    pub(crate) metrics_addr: String,
    /// Also show the segments of this index.
    #[arg(long, value_name = "CODE")]
    pub(crate) index: Option<String>,
    /// Where nobody listens, try again for this long: a host that starts opens its ports last.
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = humantime::parse_duration)]
    pub(crate) wait: Duration,
    /// Print one JSON object in place of the summary.
    #[arg(long)]
    pub(crate) json: bool,
    /// Give up on a reply after this long.
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = humantime::parse_duration)]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) tls: TlsArgs,
}
