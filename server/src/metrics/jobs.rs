//! What background work counts, read when it is asked for.

use logtank_engine::jobs::stats::{JobStats, Number};

use super::exposition::{Exposition, Kind};

struct Row<'s> {
    name: &'static str,
    help: &'static str,
    kind: Kind,
    number: &'s Number,
}

/// Name, what it says, its kind, where it is.
fn rows(stats: &JobStats) -> Vec<Row<'_>> {
    let counter = |name, help, number| Row { name, help, kind: Kind::Counter, number };
    let gauge = |name, help, number| Row { name, help, kind: Kind::Gauge, number };
    vec![
        counter("logtank_dealt_epochs_total", "Epochs dealt.", &stats.dealt_epochs),
        counter(
            "logtank_dealt_records_total",
            "Records written to indexes by dealing.",
            &stats.dealt_records,
        ),
        counter("logtank_dealt_bytes_total", "Bytes written to indexes by dealing.", &stats.dealt_bytes),
        counter(
            "logtank_dealt_segments_total",
            "Unsorted segments published by dealing.",
            &stats.dealt_segments,
        ),
        counter(
            "logtank_deal_passes_total",
            "Passes over epochs; more than epochs if memory was too small for one.",
            &stats.deal_passes,
        ),
        counter(
            "logtank_deal_deleted_records_total",
            "Records not dealt because their index was deleted after them.",
            &stats.deleted_records,
        ),
        counter(
            "logtank_deal_empty_records_total",
            "Records with neither docid nor content, dropped by dealing.",
            &stats.empty_records,
        ),
        counter(
            "logtank_deal_rejected_records_total",
            "Records that belong to no index, set aside in rejected/.",
            &stats.rejected_records,
        ),
        counter("logtank_archived_files_total", "Raw files moved to history.", &stats.archived_files),
        gauge(
            "logtank_undealt_epochs",
            "Closed epochs that wait to be dealt, complete or not.",
            &stats.waiting_epochs,
        ),
        gauge("logtank_undealt_bytes", "Bytes of records of those epochs.", &stats.waiting_bytes),
        gauge(
            "logtank_undealt_file_bytes",
            "What the raw files of those epochs take of the drive: a segment has its whole length (68 MiB) from the beginning.",
            &stats.waiting_file_bytes,
        ),
        gauge(
            "logtank_undealt_needed_bytes",
            "What dealing them, and the epoch that is open, may take of the indexes' drive at most; kept free if it is the raw log's.",
            &stats.needed_bytes,
        ),
        gauge(
            "logtank_deal_incomplete",
            "1 while dealing has waited for minutes for an epoch that is closed and does not become complete.",
            &stats.incomplete,
        ),
        gauge(
            "logtank_jobs_without_room",
            "Kinds of background work (dealing, sorting, optimizing) that wait for room on the indexes' drive.",
            &stats.without_room,
        ),
        gauge("logtank_deal_blocked", "1 while an epoch can't be dealt because of damage.", &stats.blocked),
        gauge(
            "logtank_stray_epochs",
            "Epochs in raw/live from before the checkpoint that nothing proves to be dealt.",
            &stats.stray_epochs,
        ),
        gauge(
            "logtank_gone_segments",
            "Segments of indexes that are gone while their sidecars are there and nothing else holds their records.",
            &stats.gone_segments,
        ),
        counter("logtank_sorts_total", "Sorts that published a segment.", &stats.sorts),
        gauge("logtank_sort_waiting", "Indexes that want to be sorted.", &stats.sort_waiting),
        counter(
            "logtank_optimizations_total",
            "Optimizations that published a segment.",
            &stats.optimizations,
        ),
        gauge(
            "logtank_optimization_queue_length",
            "Indexes that wait for their optimization.",
            &stats.queue_length,
        ),
        counter("logtank_cleaned_segments_total", "Segments removed by cleaning.", &stats.cleaned_segments),
        counter(
            "logtank_cleaned_bytes_total",
            "Bytes of segments removed by cleaning.",
            &stats.cleaned_bytes,
        ),
        counter(
            "logtank_removed_indexes_total",
            "Folders of deleted indexes removed.",
            &stats.removed_indexes,
        ),
        counter("logtank_pruned_files_total", "Files of raw/history/ given up.", &stats.pruned_files),
        counter(
            "logtank_pruned_bytes_total",
            "Bytes of files of raw/history/ given up.",
            &stats.pruned_bytes,
        ),
        counter(
            "logtank_job_errors_total",
            "Steps of background work that failed and are tried again.",
            &stats.errors,
        ),
    ]
}

/// Appends the numbers of background work.
pub(super) fn export(stats: &JobStats, to: &mut Exposition) {
    for Row { name, help, kind, number } in rows(stats) {
        to.family(name, help, kind);
        to.value(name, "", number.get());
    }
    let (name, help) = (
        "logtank_undealt_age_seconds",
        "Age of the oldest epoch that waits to be dealt, 0 if there is none.",
    );
    to.family(name, help, Kind::Gauge);
    to.value(name, "", undealt_age_seconds(stats));
}

/// Age of the oldest epoch that waits to be dealt; zero if there is none.
pub(super) fn undealt_age_seconds(stats: &JobStats) -> f64 {
    age_seconds(stats.oldest_waiting_ms.get(), logtank_os::clock::wall().0)
}

/// How long ago `since` was, in seconds; zero if it is zero, or lies ahead.
fn age_seconds(since_ms: u64, now_ms: u64) -> f64 {
    if since_ms == 0 {
        0.0
    } else {
        std::time::Duration::from_millis(now_ms.saturating_sub(since_ms)).as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn nothing_waiting_has_no_age() {
        assert!(super::age_seconds(0, 5_000) == 0.0);
        assert!(super::age_seconds(4_500, 5_000) == 0.5);
        assert!(super::age_seconds(6_000, 5_000) == 0.0);
    }
}
