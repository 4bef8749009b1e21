//! What is counted outside the shards, through the `metrics` facade.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use logtank_engine::error::Corruption;
use logtank_engine::ids::Epoch;
use logtank_engine::io::disk::Space;
use logtank_engine::raw_log::recovery::RecoveryReport;
use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use super::Slowest;
use super::damaged::DamagedPlaces;
use crate::config::Sync;

/// Methods of the reader and the manager, as labels; `other` is none of them.
pub(crate) const METHODS: [&str; 8] = [
    "read_page",
    "get_index_log_info",
    "get_raw_log_info",
    "enqueue_for_optimization",
    "delete_index",
    "get_optimization_queue",
    "list_existing_indexes",
    "other",
];

/// What a file of the raw log is, as a label.
const RAW_KINDS: [&str; 3] = ["ready", "live", "history"];
const FILESYSTEMS: [&str; 2] = ["raw", "indexes"];
const PORTS: [&str; 2] = ["reader", "manager"];

/// What the values of each name mean to whoever reads them.
static METADATA: Metadata<'_> = Metadata::new(module_path!(), Level::INFO, Some(module_path!()));

/// Counters and gauges of everything but the shards. Clones share them.
///
/// Each series begins with zero when the host starts rather than with its first event, so that rates are right from
/// the start.
#[derive(Clone, Debug)]
pub(crate) struct HostMetrics(Arc<Cells>);

#[derive(Debug)]
struct Cells {
    handle: PrometheusHandle,
    /// What the status page shows of them: a recorder's gauges can't be read.
    shown: Shown,
    recovery_seconds: Gauge,
    recovery_lost_positions: Gauge,
    recovery_dropped_records: Gauge,
    recovery_damaged: Gauge,
    recovery_restored_bytes: Gauge,
    free_bytes: ByLabel<Gauge>,
    filesystem_bytes: ByLabel<Gauge>,
    sync_interval: Gauge,
    appends_allowed: Gauge,
    master: Gauge,
    safe_to_read: Gauge,
    raw_files: ByLabel<Gauge>,
    prepared_done: Counter,
    prepared_failed: Counter,
    prepare_seconds: Histogram,
    index_connections: ByLabel<Gauge>,
    index_connections_refused: ByLabel<Counter>,
    index_connections_shed: ByLabel<Counter>,
    index_protocol_errors: ByLabel<Counter>,
    index_tls_failures: ByLabel<Counter>,
    certificate_expiry: Gauge,
    calls: ByLabel<Calls>,
    page_records: Counter,
    page_bytes: Counter,
}

/// What the status page shows.
#[derive(Debug, Default)]
struct Shown {
    slowest: Slowest,
    free_raw_bytes: AtomicU64,
    free_index_bytes: AtomicU64,
    lost_positions: AtomicU64,
    damaged: DamagedPlaces,
}

#[derive(Debug)]
struct Calls {
    answered: Counter,
    refused: Counter,
    seconds: Histogram,
}

/// One series for each value of a label.
#[derive(Debug)]
struct ByLabel<T>(Vec<(&'static str, T)>);

impl<T> ByLabel<T> {
    fn new(values: &[&'static str], create: impl Fn(&'static str) -> T) -> Self {
        Self(values.iter().map(|value| (*value, create(value))).collect())
    }

    fn get(&self, value: &str) -> &T {
        let found = self.0.iter().find(|(known, _)| *known == value);
        &found.unwrap_or_else(|| panic!("{value} is not among the label's values")).1
    }
}

/// Creates series, each with its help text.
struct Creator(PrometheusRecorder);

impl Creator {
    fn counter(
        &self,
        name: &'static str,
        help: &'static str,
        labels: &[(&'static str, &'static str)],
    ) -> Counter {
        self.0.describe_counter(name.into(), None, help.into());
        self.0.register_counter(&key(name, labels), &METADATA)
    }

    fn gauge(
        &self,
        name: &'static str,
        help: &'static str,
        labels: &[(&'static str, &'static str)],
    ) -> Gauge {
        self.0.describe_gauge(name.into(), None, help.into());
        let gauge = self.0.register_gauge(&key(name, labels), &METADATA);
        gauge.set(0.0);
        gauge
    }

    fn durations(
        &self,
        name: &'static str,
        help: &'static str,
        labels: &[(&'static str, &'static str)],
    ) -> Histogram {
        self.0.describe_histogram(name.into(), None, help.into());
        self.0.register_histogram(&key(name, labels), &METADATA)
    }
}

fn key(name: &'static str, labels: &[(&'static str, &'static str)]) -> Key {
    let labels: Vec<Label> =
        labels.iter().map(|&(name, value)| Label::from_static_parts(name, value)).collect();
    Key::from_parts(name, labels)
}

impl Default for HostMetrics {
    fn default() -> Self {
        // A bucket for each doubling from 1 µs to 67 s, as those of the shards.
        let ends: Vec<f64> = (0..27).map(|doubling| f64::from(1u32 << doubling) / 1e6).collect();
        let builder = PrometheusBuilder::new().set_buckets(&ends).expect("there are some");
        let new = Creator(builder.build_recorder());
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        new.gauge("logtank_build_info", "The version of this program, as a label; always 1.", &version)
            .set(1.0);
        let calls = |method| Calls {
            answered: new.counter(
                "logtank_calls_total",
                "Calls of the reader and the manager, by what came of them.",
                &[("method", method), ("outcome", "answered")],
            ),
            refused: new.counter(
                "logtank_calls_total",
                "Calls of the reader and the manager, by what came of them.",
                &[("method", method), ("outcome", "refused")],
            ),
            seconds: new.durations(
                "logtank_call_seconds",
                "How long calls of the reader and the manager took.",
                &[("method", method)],
            ),
        };
        let prepared = |outcome| {
            let help = "Raw segments made ready, by what came of it.";
            new.counter("logtank_prepared_segments_total", help, &[("outcome", outcome)])
        };
        Self(Arc::new(Cells {
            handle: new.0.handle(),
            shown: Shown::default(),
            recovery_seconds: new.gauge(
                "logtank_recovery_seconds",
                "How long it took to put the raw log in order at the start.",
                &[],
            ),
            recovery_lost_positions: new.gauge(
                "logtank_recovery_lost_positions",
                "Positions that the start found missing from the raw log.",
                &[],
            ),
            recovery_dropped_records: new.gauge(
                "logtank_recovery_dropped_records",
                "Records behind a hole in the raw log, given up at the start.",
                &[],
            ),
            recovery_damaged: new.gauge(
                "logtank_recovery_damaged",
                "Places in raw segments not dealt yet that the start, dealing or a recovery found damaged.",
                &[],
            ),
            recovery_restored_bytes: new.gauge(
                "logtank_recovery_restored_bytes",
                "Bytes of the raw log that only the page cache still had at the start, after a failed fdatasync, and that were written to the drive.",
                &[],
            ),
            free_bytes: ByLabel::new(&FILESYSTEMS, |filesystem| {
                new.gauge(
                    "logtank_free_bytes",
                    "Free bytes of the filesystem that holds the raw log, and of the one that holds the indexes.",
                    &[("filesystem", filesystem)],
                )
            }),
            filesystem_bytes: ByLabel::new(&FILESYSTEMS, |filesystem| {
                new.gauge(
                    "logtank_filesystem_bytes",
                    "Bytes that the filesystem of the raw log, and that of the indexes, hold in all.",
                    &[("filesystem", filesystem)],
                )
            }),
            sync_interval: new.gauge(
                "logtank_sync_interval_seconds",
                "The setting sync_interval: how old a frame may get before it is synced; 0 with sync = always.",
                &[],
            ),
            appends_allowed: new.gauge(
                "logtank_appends_allowed",
                "1 while batches are taken, 0 while they are refused: the drive is nearly full, read-only, or takes no more raw segments.",
                &[],
            ),
            master: new.gauge(
                "logtank_master",
                "1 while the flag master is there: this host deals, sorts, optimizes, cleans and serves recoveries.",
                &[],
            ),
            safe_to_read: new.gauge(
                "logtank_safe_to_read",
                "1 while the flag safe_to_read is there: this host serves recoveries if it is the master.",
                &[],
            ),
            raw_files: ByLabel::new(&RAW_KINDS, |kind| {
                new.gauge(
                    "logtank_raw_files",
                    "Files of the raw log: made ready, not dealt yet (with those in use), dealt.",
                    &[("kind", kind)],
                )
            }),
            prepared_done: prepared("done"),
            prepared_failed: prepared("failed"),
            prepare_seconds: new.durations(
                "logtank_prepare_seconds",
                "How long it took to make a raw segment ready.",
                &[],
            ),
            index_connections: ByLabel::new(&PORTS, |port| {
                new.gauge(
                    "logtank_index_connections",
                    "Open connections of the reader and the manager.",
                    &[("port", port)],
                )
            }),
            index_connections_refused: ByLabel::new(&PORTS, |port| {
                new.counter(
                    "logtank_index_connections_refused_total",
                    "Connections of the reader and the manager that were closed because there were too many.",
                    &[("port", port)],
                )
            }),
            index_connections_shed: ByLabel::new(&PORTS, |port| {
                new.counter(
                    "logtank_index_connections_shed_total",
                    "Connections of the reader and the manager that were closed for others: they held too much memory for too long.",
                    &[("port", port)],
                )
            }),
            index_protocol_errors: ByLabel::new(&PORTS, |port| {
                new.counter(
                    "logtank_index_protocol_errors_total",
                    "Connections of the reader and the manager closed because their bytes could not be parsed.",
                    &[("port", port)],
                )
            }),
            index_tls_failures: ByLabel::new(&PORTS, |port| {
                new.counter(
                    "logtank_index_tls_failures_total",
                    "Connections of the reader and the manager closed because they could not be encrypted.",
                    &[("port", port)],
                )
            }),
            certificate_expiry: new.gauge(
                "logtank_certificate_expiry_timestamp_seconds",
                "When clients begin to refuse the host's certificate (the first of its file to expire), in seconds since 1970; 0 without one.",
                &[],
            ),
            calls: ByLabel::new(&METHODS, calls),
            page_records: new.counter(
                "logtank_page_records_total",
                "Records sent to engines that recover.",
                &[],
            ),
            page_bytes: new.counter(
                "logtank_page_bytes_total",
                "Bytes of records sent to engines that recover.",
                &[],
            ),
        }))
    }
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a double; beyond 2^53 nobody counts by ones")]
const fn float(value: u64) -> f64 {
    value as f64
}

impl HostMetrics {
    /// The lines of all of them.
    pub(super) fn export(&self) -> String {
        self.0.handle.render()
    }

    /// The start put the raw log in order.
    pub(crate) fn recovered(&self, took: Duration, report: &RecoveryReport) {
        let lost = report.lost_records();
        self.0.recovery_seconds.set(took.as_secs_f64());
        self.0.recovery_lost_positions.set(float(lost));
        self.0.recovery_dropped_records.set(float(report.dropped_records));
        report.damaged.iter().for_each(|damage| self.damaged(damage));
        self.0.recovery_restored_bytes.set(float(report.restored_bytes));
        self.0.shown.lost_positions.store(lost, Ordering::Relaxed);
    }

    /// A place in a raw segment was found damaged; others don't count here.
    pub(crate) fn damaged(&self, damage: &Corruption) {
        self.0.recovery_damaged.set(float(self.0.shown.damaged.add(damage)));
    }

    /// This epoch was dealt, and so whole, as were all before it.
    pub(crate) fn dealt(&self, epoch: Epoch) {
        self.0.recovery_damaged.set(float(self.0.shown.damaged.dealt(epoch)));
    }

    /// Positions that the start found missing.
    pub(super) fn lost_at_start(&self) -> u64 {
        self.0.shown.lost_positions.load(Ordering::Relaxed)
    }

    /// How many places of raw segments are known to be damaged, and the first of them.
    pub(super) fn damage(&self) -> Option<(u64, String)> {
        self.0.shown.damaged.first()
    }

    /// The slowest operations of late.
    pub(super) fn slowest(&self) -> &Slowest {
        &self.0.shown.slowest
    }

    /// Free bytes of the raw log's filesystem, and of the indexes'.
    pub(super) fn free(&self) -> (u64, u64) {
        let Shown { free_raw_bytes, free_index_bytes, .. } = &self.0.shown;
        (free_raw_bytes.load(Ordering::Relaxed), free_index_bytes.load(Ordering::Relaxed))
    }

    /// Frames are synced at least so often.
    pub(crate) fn sync_interval(&self, sync: Sync) {
        self.0.sync_interval.set(match sync {
            Sync::Always => 0.0,
            Sync::Interval(interval) => interval.as_secs_f64(),
        });
    }

    /// The `raw` or `indexes` filesystem has this room.
    pub(crate) fn filesystem(&self, filesystem: &str, room: &Space) {
        let bytes = room.available_bytes;
        self.0.free_bytes.get(filesystem).set(float(bytes));
        self.0.filesystem_bytes.get(filesystem).set(float(room.total_bytes));
        let Shown { free_raw_bytes, free_index_bytes, .. } = &self.0.shown;
        (if filesystem == "raw" { free_raw_bytes } else { free_index_bytes }).store(bytes, Ordering::Relaxed);
    }

    /// Whether batches are taken.
    pub(crate) fn appends_allowed(&self, allowed: bool) {
        self.0.appends_allowed.set(f64::from(u8::from(allowed)));
    }

    /// Whether the flags `master` and `safe_to_read` are there.
    pub(crate) fn flags(&self, master: bool, safe_to_read: bool) {
        self.0.master.set(f64::from(u8::from(master)));
        self.0.safe_to_read.set(f64::from(u8::from(safe_to_read)));
    }

    /// So many files of the raw log are of this kind: `ready`, `live` or `history`.
    pub(crate) fn raw_files(&self, kind: &str, count: usize) {
        self.0.raw_files.get(kind).set(float(count as u64));
    }

    /// A raw segment was made ready, or could not be, after this long.
    pub(crate) fn prepared(&self, done: bool, took: Duration) {
        (if done { &self.0.prepared_done } else { &self.0.prepared_failed }).increment(1);
        self.0.prepare_seconds.record(took.as_secs_f64());
        self.slowest().note("making a raw segment ready", took, Instant::now());
    }

    /// The `reader` or `manager` port has so many connections.
    pub(crate) fn index_connections(&self, port: &str, count: usize) {
        self.0.index_connections.get(port).set(float(count as u64));
    }

    /// The `reader` or `manager` port had no room for a connection.
    pub(crate) fn index_connection_refused(&self, port: &str) {
        self.0.index_connections_refused.get(port).increment(1);
    }

    /// A connection of the `reader` or `manager` port had to go for others.
    pub(crate) fn index_connection_shed(&self, port: &str) {
        self.0.index_connections_shed.get(port).increment(1);
    }

    /// Bytes of a connection of the `reader` or `manager` port could not be parsed.
    pub(crate) fn index_protocol_error(&self, port: &str) {
        self.0.index_protocol_errors.get(port).increment(1);
    }

    /// A connection of the `reader` or `manager` port could not be encrypted.
    pub(crate) fn index_tls_failure(&self, port: &str) {
        self.0.index_tls_failures.get(port).increment(1);
    }

    /// When the host's certificate expires, in seconds since 1970.
    #[expect(clippy::cast_precision_loss, reason = "exact for the next hundred million years")]
    pub(crate) fn certificate_expires(&self, at: u64) {
        self.0.certificate_expiry.set(at as f64);
    }

    /// A call of the reader or the manager was answered, after this long.
    pub(crate) fn call(&self, method: &'static str, answered: bool, took: Duration) {
        let calls = self.0.calls.get(method);
        (if answered { &calls.answered } else { &calls.refused }).increment(1);
        calls.seconds.record(took.as_secs_f64());
        self.slowest().note(method, took, Instant::now());
    }

    /// A page was sent to an engine that recovers.
    pub(crate) fn page(&self, records: u32, bytes: usize) {
        self.0.page_records.increment(records.into());
        self.0.page_bytes.increment(bytes as u64);
    }
}
