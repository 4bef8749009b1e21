//! Asks a running host how it is: its manager for segments and queue, its metrics port for the rest.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::anyhow;
use indicatif::{HumanBytes, HumanCount};
use logtank_wire::client::{request, response};
use logtank_wire::info::{IndexLogInfo, RawLogInfo, SegmentInfo};
use serde_json::{Value, json};

use crate::cli::StatusArgs;
use crate::client::{CallError, Connection, Encryption, connect, get};
use crate::output::say;

/// What a host said.
struct Status {
    ready: bool,
    readiness: String,
    metrics: Metrics,
    raw: RawLogInfo,
    indexes: usize,
    queue: usize,
    index: Option<(String, IndexLogInfo)>,
}

/// Values by name, summed over their labels.
struct Metrics(BTreeMap<String, f64>);

impl Metrics {
    fn parse(text: &str) -> Self {
        let mut values = BTreeMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some((name, value)) = line.rsplit_once(' ') else { continue };
            let name = name.split('{').next().unwrap_or(name);
            // Each bucket counts those before it too: their sum means nothing.
            if name.ends_with("_bucket") {
                continue;
            }
            if let Ok(value) = value.parse::<f64>() {
                *values.entry(name.to_owned()).or_insert(0.0) += value;
            }
        }
        Self(values)
    }

    fn get(&self, name: &str) -> f64 {
        self.0.get(name).copied().unwrap_or(0.0)
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts, exact far beyond any host's"
    )]
    fn count(&self, name: &str) -> u64 {
        self.get(name).max(0.0) as u64
    }

    /// The mean of a histogram.
    fn mean(&self, name: &str) -> Option<Duration> {
        let count = self.get(&format!("{name}_count"));
        (count > 0.0).then(|| Duration::from_secs_f64(self.get(&format!("{name}_sum")) / count))
    }
}

/// Prints what a host says of itself; the exit code is 1 if it is not ready.
///
/// # Errors
/// If it can't be reached, or refuses to say.
pub(crate) fn run(args: &StatusArgs) -> anyhow::Result<ExitCode> {
    let status = ask(args)?;
    if args.json {
        say!("{}", to_json(&status));
    } else {
        print(&status);
    }
    Ok(if status.ready { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn ask(args: &StatusArgs) -> anyhow::Result<Status> {
    let encryption = Encryption::load(&args.tls)?;
    let at_metrics = |error| at_port("metrics", &args.metrics_addr, error);
    if !args.wait.is_zero() {
        connect(&args.metrics_addr, args.timeout, &encryption, args.wait).map_err(at_metrics)?;
    }
    let (code, readiness) =
        get(&args.metrics_addr, "/readyz", args.timeout, &encryption).map_err(at_metrics)?;
    let (_, metrics) = get(&args.metrics_addr, "/metrics", args.timeout, &encryption).map_err(at_metrics)?;
    let metrics = Metrics::parse(&metrics);
    if !metrics.0.contains_key("logtank_build_info") {
        return Err(anyhow!(
            "the metrics port {}: what answers is no host of LogTank's; another program listens there",
            args.metrics_addr
        ));
    }
    let at_manager = |error| at_port("manager", &args.manager_addr, error);
    let mut manager =
        connect(&args.manager_addr, args.timeout, &encryption, args.wait).map_err(at_manager)?;
    let raw = manager.call(request::get_raw_log_info, response::raw_log_info).map_err(at_manager)?;
    let (indexes, known) = manager
        .call(request::list_existing_indexes, |reply| {
            let codes = response::existing_indexes(reply)?;
            let wanted = args.index.as_deref().unwrap_or_default().as_bytes();
            Ok((codes.len(), codes.contains(&wanted)))
        })
        .map_err(at_manager)?;
    let queue = manager
        .call(request::get_optimization_queue, |reply| Ok(response::optimization_queue(reply)?.len()))
        .map_err(at_manager)?;
    let index = match &args.index {
        Some(code) if !known => {
            return Err(anyhow!(
                "the host has no index `{code}`; of the {indexes} that it has, none is named so"
            ));
        }
        Some(code) => Some((code.clone(), ask_index(&mut manager, code).map_err(at_manager)?)),
        None => None,
    };
    Ok(Status {
        ready: code == 200,
        readiness: readiness.trim().to_owned(),
        metrics,
        raw,
        indexes,
        queue,
        index,
    })
}

fn ask_index(manager: &mut Connection, code: &str) -> Result<IndexLogInfo, CallError> {
    manager.call(
        |out, dialect, sequence| request::get_index_log_info(out, dialect, sequence, code.as_bytes()),
        response::index_log_info,
    )
}

/// What is wrong with a port, or with what it answered.
fn at_port(name: &str, address: &str, error: CallError) -> anyhow::Error {
    match error {
        CallError::Connection(_) => anyhow::Error::from(error)
            .context(format!("can't connect to the {name} port {address}; is a host running there?")),
        error => anyhow!("the {name} port {address}: {error}"),
    }
}

fn bytes_of(segments: &[SegmentInfo]) -> u64 {
    segments.iter().map(|segment| u64::try_from(segment.valid_length).unwrap_or(0)).sum()
}

fn print(status: &Status) {
    let Status { readiness, metrics, raw, indexes, queue, index, .. } = status;
    let millis = |duration: Option<Duration>| {
        duration.map_or_else(
            || "none yet".to_owned(),
            |duration| format!("{:.3} ms", duration.as_secs_f64() * 1e3),
        )
    };
    say!("{readiness}");
    let count = |name: &str| HumanCount(metrics.count(name));
    let bytes = |name: &str| HumanBytes(metrics.count(name));
    say!(
        "received     {} records in {} batches, {}",
        count("logtank_records_total"),
        count("logtank_batches_total"),
        bytes("logtank_record_bytes_total")
    );
    say!(
        "latency      append {} on average, sync {}",
        millis(metrics.mean("logtank_append_seconds")),
        millis(metrics.mean("logtank_sync_seconds"))
    );
    say!(
        "unsynced     {}, oldest {:.3} s",
        bytes("logtank_unsynced_bytes"),
        metrics.get("logtank_unsynced_age_seconds")
    );
    say!(
        "connections  {} writing, {} reading and managing",
        count("logtank_connections"),
        count("logtank_index_connections")
    );
    say!(
        "not dealt    {} segments, {}; next epoch {}",
        raw.undealt_segments.len(),
        HumanBytes(bytes_of(&raw.undealt_segments)),
        raw.dealer_next_timestamp
    );
    say!("indexes      {indexes}, {queue} waiting to be optimized");
    say!("lost         {} positions at the last start", count("logtank_recovery_lost_positions"));
    say!("memory       {}, {} open files", bytes("process_resident_memory_bytes"), count("process_open_fds"));
    if let Some((code, info)) = index {
        print_index(code, info);
    }
}

fn print_index(code: &str, info: &IndexLogInfo) {
    say!(
        "index {code}: of what is dealt, {} records optimized, {} not",
        info.optimized_record_count,
        info.unoptimized_record_count
    );
    let kinds = [
        ("optimized", &info.optimized_segments),
        ("sorted", &info.sorted_segments),
        ("unsorted", &info.unsorted_segments),
    ];
    for (kind, segments) in kinds {
        say!("  {kind:<10} {} segments, {}", segments.len(), HumanBytes(bytes_of(segments)));
    }
}

fn to_json(status: &Status) -> Value {
    let Status { ready, readiness, metrics, raw, indexes, queue, index } = status;
    let segment = |segment: &SegmentInfo| {
        json!({
            "timestamp": segment.timestamp, "end_timestamp": segment.end_timestamp,
            "valid_length": segment.valid_length, "actual_length": segment.actual_length,
            "record_count": segment.record_count, "sorted": segment.sorted,
        })
    };
    let segments = |list: &[SegmentInfo]| list.iter().map(segment).collect::<Vec<_>>();
    json!({
        "ready": ready,
        "readiness": readiness,
        "metrics": metrics.0,
        "undealt_segments": segments(&raw.undealt_segments),
        "dealer_next_timestamp": raw.dealer_next_timestamp,
        "indexes": indexes,
        "optimization_queue": queue,
        "index": index.as_ref().map(|(code, info)| json!({
            "code": code,
            "optimized_segments": segments(&info.optimized_segments),
            "sorted_segments": segments(&info.sorted_segments),
            "unsorted_segments": segments(&info.unsorted_segments),
            "optimized_record_count": info.optimized_record_count,
            "unoptimized_record_count": info.unoptimized_record_count,
            "unoptimized_segments": info.unoptimized_segments,
            "last_optimization_timestamp": info.last_optimization_timestamp,
        })),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_summed_over_their_labels() {
        let text = "# HELP x y\nx_total{shard=\"0\"} 2\nx_total{shard=\"1\"} 3\nh_bucket{le=\"1\"} 2\nh_sum 1.5\nh_count 3\n# EOF\n";
        let metrics = Metrics::parse(text);
        assert_eq!(metrics.count("x_total"), 5);
        assert_eq!(metrics.mean("h"), Some(Duration::from_millis(500)));
        assert_eq!(metrics.mean("none"), None);
        assert!(!metrics.0.contains_key("h_bucket"));
    }
}
