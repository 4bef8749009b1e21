//! Every setting of a host, as typed: its name, default and help, once.
//!
//! Values stay text here, because the environment and a file can give them too: [`crate::config`] decides which
//! layer wins, and checks what it says.

use clap::{Args, ValueHint};
use logtank_engine::limits;
use logtank_engine::limits::Limits;

use super::defaults::{MANAGER_ADDR, METRICS_ADDR, READER_ADDR, WRITER_ADDR, duration, size};
use super::words::Words;

/// All settings. A setting's variable is its name in capitals after `LOGTANK_`.
#[derive(Debug, Args)]
pub(crate) struct SettingsArgs {
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    raw_log: RawLogArgs,
    #[command(flatten)]
    threads: ThreadsArgs,
    #[command(flatten)]
    background: BackgroundArgs,
    #[command(flatten)]
    log: LogArgs,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Data")]
struct DataArgs {
    /// The data directory.
    #[arg(long, value_name = "DIR", default_value = "./logtank-data", value_hint = ValueHint::DirPath)]
    data: String,
    /// The folder that holds raw/, best on a drive of its own [default: the data directory]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    raw_dir: Option<String>,
    /// Refuse appends while the raw log's drive has less than this free; resume at twice as much.
    #[arg(long, value_name = "SIZE", default_value = size(Limits::DEFAULT.free_bytes_min))]
    free_bytes_min: String,
    /// Delete dealt raw segments that are older than this, or `unlimited`.
    #[arg(long, value_name = "DURATION", default_value = duration(limits::HISTORY_AGE_MAX))]
    history_max_age: String,
    /// Delete the oldest dealt raw segments beyond this many bytes, or `unlimited`.
    #[arg(long, value_name = "SIZE", default_value = size(limits::HISTORY_BYTES_MAX))]
    history_max_bytes: String,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Network")]
struct NetworkArgs {
    /// Where batches are received.
    #[arg(long, value_name = "IP:PORT", default_value = WRITER_ADDR)]
    writer_addr: String,
    /// Where indexes are recovered from.
    #[arg(long, value_name = "IP:PORT", default_value = READER_ADDR)]
    reader_addr: String,
    /// The control plane.
    #[arg(long, value_name = "IP:PORT", default_value = MANAGER_ADDR)]
    manager_addr: String,
    /// /metrics, /healthz and /readyz over HTTP, or `off`.
    #[arg(long, value_name = "IP:PORT", default_value = METRICS_ADDR)]
    metrics_addr: String,
    /// Names, beside addresses, `localhost` and names without a dot, that browsers may ask for the status page by.
    #[arg(long, value_name = "NAMES")]
    metrics_names: Option<String>,
    /// Listen on addresses that other machines reach, without encryption or authentication.
    #[arg(long, value_name = "BOOL", default_value = "false", num_args = 0..=1, default_missing_value = "true", require_equals = true, hide_default_value = true)]
    allow_plain_network: String,
    /// Encrypt connections: the host's certificate (PEM, with those that lead to its authority).
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    tls_cert: Option<String>,
    /// The private key of the certificate (PEM, not encrypted).
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    tls_key: Option<String>,
    /// Take only clients that show a certificate of one of these authorities (PEM).
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    tls_client_ca: Option<String>,
    /// With a certificate: the ports that are encrypted.
    #[arg(long, value_name = "NAMES", default_value = "writer,reader,manager,metrics")]
    tls_ports: String,
    /// Connections that stay on one port; with more, one that rests is closed for the next.
    #[arg(long, value_name = "N", default_value = Limits::DEFAULT.connections_max.to_string())]
    connections_max: String,
    /// Close a connection that has been sending one message for this long, or has received nothing of its reply for it.
    #[arg(long, value_name = "DURATION", default_value = duration(limits::MESSAGE_TIMEOUT))]
    message_timeout: String,
    /// Close a connection on which nothing was received for this long, or `unlimited`.
    #[arg(long, value_name = "DURATION", default_value = duration(limits::IDLE_TIMEOUT))]
    idle_timeout: String,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Raw log")]
struct RawLogArgs {
    /// When a power cut loses nothing: after the `interval`, or `always`, before each reply.
    #[arg(long, value_name = "interval|always", value_parser = Words(&["interval", "always"]), hide_possible_values = true, default_value = "interval")]
    sync: String,
    /// With sync = interval: a power cut loses nothing older than this.
    #[arg(long, value_name = "DURATION", default_value = duration(limits::SYNC_INTERVAL))]
    sync_interval: String,
    /// How segments are written: through the page cache, past it, or as a probe of the drive finds better.
    #[arg(long, value_name = "auto|buffered|direct", value_parser = Words(&["auto", "buffered", "direct"]), hide_possible_values = true, default_value = "auto")]
    append: String,
    /// Deal what was received at the latest after this long.
    #[arg(long, value_name = "DURATION", default_value = duration(limits::EPOCH_AGE_MAX))]
    epoch_max_age: String,
    /// One Thrift message.
    #[arg(long, value_name = "SIZE", default_value = size(Limits::DEFAULT.message_bytes_max))]
    message_bytes_max: String,
    /// One record, as encoded.
    #[arg(long, value_name = "SIZE", default_value = size(Limits::DEFAULT.record_bytes_max))]
    record_bytes_max: String,
    /// Records of one batch.
    #[arg(long, value_name = "N", default_value = Limits::DEFAULT.batch_records_max.to_string())]
    batch_records_max: String,
    /// Bytes appended but not yet synced, a shard; at the bound it waits for the drive.
    #[arg(long, value_name = "SIZE", default_value = size(Limits::DEFAULT.unsynced_bytes_max))]
    unsynced_bytes_max: String,
    /// Bytes of partly received messages and unsent replies, a shard.
    #[arg(long, value_name = "SIZE", default_value = size(Limits::DEFAULT.in_flight_bytes_max))]
    in_flight_bytes_max: String,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Threads")]
struct ThreadsArgs {
    /// What to run: the writer, what owns the indexes, or both.
    #[arg(long, value_name = "all|writer|indexes", value_parser = Words(&["all", "writer", "indexes"]), hide_possible_values = true, default_value = "all")]
    role: String,
    /// Threads that receive and append, each on a processor of its own, or `auto`: one less than there are.
    #[arg(long, value_name = "N", default_value = "auto")]
    shards: String,
    /// Poll this long before sleeping: lower latency, at the cost of a busy processor.
    #[arg(long, value_name = "DURATION", default_value = "0us")]
    busy_poll: String,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Background")]
struct BackgroundArgs {
    /// Memory that dealing, sorting or optimizing may use, each.
    #[arg(long, value_name = "SIZE", default_value = size(Limits::DEFAULT.job_bytes_max))]
    job_bytes_max: String,
    /// What background work may always read and write, in a second, however slow appends are.
    #[arg(long, value_name = "SIZE", default_value = size(limits::BACKGROUND_RATE_MIN))]
    background_rate_min: String,
    /// Direct appends that take longer than this, and than they do in calm, slow background work down.
    #[arg(long, value_name = "DURATION", default_value = duration(limits::APPEND_SLOW_AFTER))]
    append_slow_after: String,
    /// Files that a background job keeps open at once.
    #[arg(long, value_name = "N", default_value = Limits::DEFAULT.open_files_max.to_string())]
    open_files_max: String,
    /// Delete superseded segments of an index when nobody has read it for this long.
    #[arg(long, value_name = "DURATION", default_value = duration(limits::UNREAD_BEFORE_CLEAN))]
    unread_before_clean: String,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Log")]
struct LogArgs {
    /// How log lines are written.
    #[arg(long, value_name = "text|json", value_parser = Words(&["text", "json"]), hide_possible_values = true, default_value = "text")]
    log_format: String,
    /// The least important lines to write.
    #[arg(long, value_name = "error|warn|info|debug|trace", value_parser = Words(&["error", "warn", "info", "debug", "trace"]), hide_possible_values = true, default_value = "info")]
    log_level: String,
}
