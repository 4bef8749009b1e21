//! Numbers about background work, written where it is done and read by any other thread.

crate::metrics! {
    /// Numbers about background work. Counters count since the process began; gauges show the last look.
    pub struct JobStats of Shared {
        dealt_epochs: Counter, "logtank_dealt_epochs_total", "Epochs dealt.";
        dealt_records: Counter, "logtank_dealt_records_total", "Records written to indexes by dealing.";
        dealt_bytes: Counter, "logtank_dealt_bytes_total", "Bytes written to indexes by dealing.";
        dealt_segments: Counter, "logtank_dealt_segments_total", "Unsorted segments published by dealing.";
        deal_passes: Counter, "logtank_deal_passes_total", "Passes over epochs; more than epochs if memory was too small for one.";
        deleted_records: Counter, "logtank_deal_deleted_records_total", "Records not dealt because their index was deleted after them.";
        empty_records: Counter, "logtank_deal_empty_records_total", "Records with neither docid nor content, dropped by dealing.";
        rejected_records: Counter, "logtank_deal_rejected_records_total", "Records that belong to no index, set aside in rejected/.";
        archived_files: Counter, "logtank_archived_files_total", "Raw files moved to history.";
        waiting_epochs: Gauge, "logtank_undealt_epochs", "Closed epochs that wait to be dealt, complete or not.";
        waiting_bytes: Gauge, "logtank_undealt_bytes", "Bytes of records of those epochs.";
        waiting_file_bytes: Gauge, "logtank_undealt_file_bytes", "What the raw files of those epochs take of the drive: a segment has its whole length (68 MiB) from the beginning.";
        needed_bytes: Gauge, "logtank_undealt_needed_bytes", "What dealing them, and the epoch that is open, may take of the indexes' drive at most: its open segments count as if they were full.";
        oldest_waiting: SinceMillis, "logtank_undealt_age_seconds", "Age of the oldest epoch that waits to be dealt, 0 if there is none.";
        incomplete: Gauge, "logtank_deal_incomplete", "1 while dealing has waited for minutes for an epoch that is closed and does not become complete.";
        without_room: Gauge, "logtank_jobs_without_room", "Kinds of background work (dealing, sorting, optimizing) that wait for room on the indexes' drive.";
        blocked: Gauge, "logtank_deal_blocked", "1 while an epoch can't be dealt because of damage.";
        stray_epochs: Gauge, "logtank_stray_epochs", "Epochs in raw/live from before the checkpoint that nothing proves to be dealt.";
        gone_segments: Gauge, "logtank_gone_segments", "Segments of indexes that are gone while their sidecars are there and nothing else holds their records.";
        sorts: Counter, "logtank_sorts_total", "Sorts that published a segment.";
        sort_waiting: Gauge, "logtank_sort_waiting", "Indexes that want to be sorted.";
        optimizations: Counter, "logtank_optimizations_total", "Optimizations that published a segment.";
        queue_length: Gauge, "logtank_optimization_queue_length", "Indexes that wait for their optimization.";
        cleaned_segments: Counter, "logtank_cleaned_segments_total", "Segments removed by cleaning.";
        cleaned_bytes: Counter, "logtank_cleaned_bytes_total", "Bytes of segments removed by cleaning.";
        removed_indexes: Counter, "logtank_removed_indexes_total", "Folders of deleted indexes removed.";
        pruned_files: Counter, "logtank_pruned_files_total", "Files of raw/history/ given up.";
        pruned_bytes: Counter, "logtank_pruned_bytes_total", "Bytes of files of raw/history/ given up.";
        errors: Counter, "logtank_job_errors_total", "Steps of background work that failed and are tried again.";
    }
    beside {
        /// Looks at what waits, by which the gauges of it were set.
        looks: Turns;
        /// The checkpoint: the next epoch to deal, ms since 1970.
        checkpoint_ms: Mark;
        /// Turns of the loop that deals and sorts; it turns every few seconds, if only to look around.
        dealing_turns: Turns;
        /// Turns of the loop that optimizes and cleans; as above.
        tending_turns: Turns;
    }
}

/// A count that others wait on.
pub type Turns = crate::metrics::Counter<crate::metrics::Shared>;
/// A number that others compare with.
pub(crate) type Mark = crate::metrics::Gauge<crate::metrics::Shared>;
