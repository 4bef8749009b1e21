//! What is counted outside the shards.

use std::sync::atomic::AtomicU64;
use std::time::Instant;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::Slowest;

type Labels<const N: usize> = [(&'static str, &'static str); N];
type Seconds = Gauge<f64, AtomicU64>;

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
pub(crate) const RAW_KINDS: [&str; 3] = ["ready", "live", "history"];

/// A duration's histogram with a bucket for each doubling from 1 µs to 67 s.
fn durations() -> Histogram {
    Histogram::new((0..27).map(|doubling| f64::from(1u32 << doubling) / 1e6))
}

/// Counters and gauges of everything but the shards. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct HostMetrics {
    pub(crate) recovery_seconds: Seconds,
    pub(crate) recovery_lost_positions: Gauge,
    pub(crate) recovery_dropped_records: Gauge,
    pub(crate) recovery_damaged: Gauge,
    pub(crate) free_bytes: Family<Labels<1>, Gauge>,
    pub(crate) appends_allowed: Gauge,
    pub(crate) raw_files: Family<Labels<1>, Gauge>,
    pub(crate) prepared: Family<Labels<1>, Counter>,
    pub(crate) prepare_seconds: Histogram,
    pub(crate) index_connections: Family<Labels<1>, Gauge>,
    pub(crate) index_connections_refused: Family<Labels<1>, Counter>,
    calls: Family<Labels<2>, Counter>,
    pub(crate) call_seconds: Family<Labels<1>, Histogram, fn() -> Histogram>,
    pub(crate) page_records: Counter,
    pub(crate) page_bytes: Counter,
    /// For the status page; not a metric.
    pub(crate) slowest: Slowest,
}

impl Default for HostMetrics {
    fn default() -> Self {
        Self {
            recovery_seconds: Seconds::default(),
            recovery_lost_positions: Gauge::default(),
            recovery_dropped_records: Gauge::default(),
            recovery_damaged: Gauge::default(),
            free_bytes: Family::default(),
            appends_allowed: Gauge::default(),
            raw_files: Family::default(),
            prepared: Family::default(),
            prepare_seconds: durations(),
            index_connections: Family::default(),
            index_connections_refused: Family::default(),
            calls: Family::default(),
            call_seconds: Family::new_with_constructor(durations),
            page_records: Counter::default(),
            page_bytes: Counter::default(),
            slowest: Slowest::default(),
        }
    }
}

impl HostMetrics {
    /// Makes each series begin with zero rather than with its first event, so that rates are right from the start.
    fn create_labels(&self) {
        for method in METHODS {
            let _ = self.call_seconds.get_or_create(&[("method", method)]);
            for outcome in ["answered", "refused"] {
                let _ = self.calls.get_or_create(&[("method", method), ("outcome", outcome)]);
            }
        }
        for port in ["reader", "manager"] {
            let _ = self.index_connections.get_or_create(&[("port", port)]);
            let _ = self.index_connections_refused.get_or_create(&[("port", port)]);
        }
        for filesystem in ["raw", "indexes"] {
            let _ = self.free_bytes.get_or_create(&[("filesystem", filesystem)]);
        }
        for kind in RAW_KINDS {
            let _ = self.raw_files.get_or_create(&[("kind", kind)]);
        }
        for outcome in ["done", "failed"] {
            let _ = self.prepared.get_or_create(&[("outcome", outcome)]);
        }
    }

    /// A raw segment was made ready, or could not be, after this long.
    pub(crate) fn prepared(&self, done: bool, took: std::time::Duration) {
        self.prepared.get_or_create(&[("outcome", if done { "done" } else { "failed" })]).inc();
        self.prepare_seconds.observe(took.as_secs_f64());
        self.slowest.note("making a raw segment ready", took, Instant::now());
    }

    /// A call of the reader or the manager was answered, after this long.
    pub(crate) fn call(&self, method: &'static str, answered: bool, took: std::time::Duration) {
        let outcome = if answered { "answered" } else { "refused" };
        self.calls.get_or_create(&[("method", method), ("outcome", outcome)]).inc();
        self.call_seconds.get_or_create(&[("method", method)]).observe(took.as_secs_f64());
        self.slowest.note(method, took, Instant::now());
    }

    /// Puts each metric into the registry, with what it says. A help text ends without a full stop: the registry
    /// adds it.
    pub(super) fn register(&self, to: &mut Registry) {
        self.create_labels();
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        to.register("logtank_build", "The version of this program", version);
        macro_rules! add {
            ($($metric:ident $name:literal: $help:literal,)*) => {
                $(to.register($name, $help, self.$metric.clone());)*
            };
        }
        add! {
            recovery_seconds "logtank_recovery_seconds": "How long it took to put the raw log in order at the start",
            recovery_lost_positions "logtank_recovery_lost_positions": "Positions that the start found missing from the raw log",
            recovery_dropped_records "logtank_recovery_dropped_records": "Records behind a hole in the raw log, given up at the start",
            recovery_damaged "logtank_recovery_damaged": "Places in sealed raw segments that the start found damaged",
            free_bytes "logtank_free_bytes": "Free bytes of the filesystem that holds the raw log, and of the one that holds the indexes",
            appends_allowed "logtank_appends_allowed": "1 while batches are taken, 0 while they are refused because the drive is nearly full",
            raw_files "logtank_raw_files": "Files of the raw log: made ready, not dealt yet (with those in use), dealt",
            prepared "logtank_prepared_segments": "Raw segments made ready, by what came of it",
            prepare_seconds "logtank_prepare_seconds": "How long it took to make a raw segment ready",
            index_connections "logtank_index_connections": "Open connections of the reader and the manager",
            index_connections_refused "logtank_index_connections_refused": "Connections of the reader and the manager that were closed because there were too many",
            calls "logtank_calls": "Calls of the reader and the manager, by what came of them",
            call_seconds "logtank_call_seconds": "How long calls of the reader and the manager took",
            page_records "logtank_page_records": "Records sent to engines that recover",
            page_bytes "logtank_page_bytes": "Bytes of records sent to engines that recover",
        }
    }
}
