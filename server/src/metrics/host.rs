//! What a host counts outside of its shards and its background work.

use std::ops::Deref;
use std::sync::Arc;
use std::time::{Duration, Instant};

use logtank_engine::error::Corruption;
use logtank_engine::ids::Epoch;
use logtank_engine::io::Space;
use logtank_engine::raw_log::RecoveryReport;

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

logtank_engine::metrics! {
    /// Counters and gauges of everything but the shards and the background work. Each series begins with zero when the
    /// host starts rather than with its first event, so that rates are right from the start.
    pub(crate) struct HostTable of Shared {
        build_info: Gauge["version" in &[env!("CARGO_PKG_VERSION")]], "logtank_build_info", "The version of this program, as a label; always 1.";
        ready: Gauge, "logtank_ready", "1 while everything is served, 0 while /readyz gives a reason why not.";
        heartbeat_age: Named("thread"), "logtank_thread_heartbeat_age_seconds", "For how long each thread has given no sign of life; one that is idle gives some.";
        log_lines_dropped: Counter, "logtank_log_lines_dropped_total", "Lines of the log that standard error did not take.";
        recovery: Real, "logtank_recovery_seconds", "How long it took to put the raw log in order at the start.";
        recovery_lost_positions: Gauge, "logtank_recovery_lost_positions", "Positions that the start found missing from the raw log.";
        recovery_dropped_records: Gauge, "logtank_recovery_dropped_records", "Records behind a hole in the raw log, given up at the start.";
        recovery_damaged: Gauge, "logtank_recovery_damaged", "Places in raw segments not dealt yet that the start, dealing or a recovery found damaged.";
        recovery_restored_bytes: Gauge, "logtank_recovery_restored_bytes", "Bytes of the raw log that only the page cache still had at the start, after a failed fdatasync, and that were written to the drive.";
        free_bytes: Gauge["filesystem" in &FILESYSTEMS], "logtank_free_bytes", "Free bytes of the filesystem that holds the raw log, and of the one that holds the indexes.";
        filesystem_bytes: Gauge["filesystem" in &FILESYSTEMS], "logtank_filesystem_bytes", "Bytes that the filesystem of the raw log, and that of the indexes, hold in all.";
        sync_interval: Real, "logtank_sync_interval_seconds", "The setting sync_interval: how old a frame may get before it is synced; 0 with sync = always.";
        appends_allowed: Gauge, "logtank_appends_allowed", "1 while batches are taken, 0 while they are refused: the drive is nearly full, read-only, takes no more raw segments, or is not there any more.";
        master: Gauge, "logtank_master", "1 while the flag master is there: this host deals, sorts, optimizes, cleans and serves recoveries.";
        safe_to_read: Gauge, "logtank_safe_to_read", "1 while the flag safe_to_read is there: this host serves recoveries if it is the master.";
        raw_files: Gauge["kind" in &RAW_KINDS], "logtank_raw_files", "Files of the raw log: made ready, not dealt yet (with those in use), dealt.";
        prepared_segments: Counter["outcome" in &["done", "failed"]], "logtank_prepared_segments_total", "Raw segments made ready, by what came of it.";
        prepare_latency: Histogram, "logtank_prepare_seconds", "How long it took to make a raw segment ready.";
        index_connections: Gauge["port" in &PORTS], "logtank_index_connections", "Open connections of the reader and the manager.";
        index_connections_refused: Counter["port" in &PORTS], "logtank_index_connections_refused_total", "Connections of the reader and the manager that were closed at once: there were as many as may be, and none could give way.";
        index_connections_shed: Counter["port" in &PORTS], "logtank_index_connections_shed_total", "Connections of the reader and the manager that were closed for others: they held too much memory, or a place for a page, for too long.";
        index_connections_gave_way: Counter["port" in &PORTS], "logtank_index_connections_gave_way_total", "Connections of the reader and the manager that rested and were closed for the next one, since there were as many as may be.";
        index_protocol_errors: Counter["port" in &PORTS], "logtank_index_protocol_errors_total", "Connections of the reader and the manager closed because their bytes could not be parsed.";
        index_tls_failures: Counter["port" in &PORTS], "logtank_index_tls_failures_total", "Connections of the reader and the manager closed because they could not be encrypted.";
        certificate_expiry: Gauge, "logtank_certificate_expiry_timestamp_seconds", "When clients begin to refuse the host's certificate (the first of its file to expire), in seconds since 1970; 0 without one.";
        calls: Counter["method" in &METHODS, "outcome" in &["answered", "refused"]], "logtank_calls_total", "Calls of the reader and the manager, by what came of them.";
        call_latency: Histogram["method" in &METHODS], "logtank_call_seconds", "How long calls of the reader and the manager took.";
        page_records: Counter, "logtank_page_records_total", "Records sent to engines that recover.";
        page_bytes: Counter, "logtank_page_bytes_total", "Bytes of records sent to engines that recover.";
        resident_bytes: Real, "process_resident_memory_bytes", "Memory of this process that is in RAM.";
        peak_resident_bytes: Real, "process_peak_resident_memory_bytes", "The most that it ever was.";
        open_files: Real, "process_open_fds", "File descriptors that this process has open.";
        open_files_max: Real, "process_max_fds", "The most file descriptors that it may have open.";
        threads: Real, "process_threads", "Threads of this process, with those of its rings.";
        start_time: Real, "process_start_time_seconds", "When this process began, in seconds since 1970.";
    }
    beside {
        /// The slowest operations of the last hour.
        slowest: Slowest;
        /// Places in raw segments that are known to be damaged.
        damaged_places: DamagedPlaces;
    }
}

/// The host's metrics. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct HostMetrics(Arc<HostTable>);

impl Default for HostMetrics {
    fn default() -> Self {
        let table = HostTable::default();
        table.build_info.of([env!("CARGO_PKG_VERSION")]).set(1);
        Self(Arc::new(table))
    }
}

impl Deref for HostMetrics {
    type Target = HostTable;

    fn deref(&self) -> &HostTable {
        &self.0
    }
}

/// What several metrics say together.
impl HostTable {
    /// The start put the raw log in order.
    pub(crate) fn recovered(&self, took: Duration, report: &RecoveryReport) {
        self.recovery.set(took.as_secs_f64());
        self.recovery_lost_positions.set(report.lost_records());
        self.recovery_dropped_records.set(report.dropped_records);
        report.damaged.iter().for_each(|damage| self.damaged(damage));
        self.recovery_restored_bytes.set(report.restored_bytes);
    }

    /// A place in a raw segment was found damaged; others don't count here.
    pub(crate) fn damaged(&self, damage: &Corruption) {
        self.recovery_damaged.set(self.damaged_places.add(damage));
    }

    /// This epoch was dealt, and so whole, as were all before it.
    pub(crate) fn dealt(&self, epoch: Epoch) {
        self.recovery_damaged.set(self.damaged_places.dealt(epoch));
    }

    /// Frames are synced at least so often.
    pub(crate) fn syncs(&self, sync: Sync) {
        self.sync_interval.set(match sync {
            Sync::Always => 0.0,
            Sync::Interval(interval) => interval.as_secs_f64(),
        });
    }

    /// The `raw` or `indexes` filesystem has this room.
    pub(crate) fn filesystem(&self, filesystem: &str, room: &Space) {
        self.free_bytes.of([filesystem]).set(room.available_bytes);
        self.filesystem_bytes.of([filesystem]).set(room.total_bytes);
    }

    /// A raw segment was made ready, or could not be, after this long.
    pub(crate) fn prepared(&self, done: bool, took: Duration) {
        self.prepared_segments.of([if done { "done" } else { "failed" }]).add(1);
        self.prepare_latency.record(took);
        self.slowest.note("making a raw segment ready", took, Instant::now());
    }

    /// A call of the reader or the manager was answered, or refused, after this long.
    pub(crate) fn call(&self, method: &'static str, answered: bool, took: Duration) {
        self.calls.of([method, if answered { "answered" } else { "refused" }]).add(1);
        self.call_latency.of([method]).record(took);
        self.slowest.note(method, took, Instant::now());
    }
}
