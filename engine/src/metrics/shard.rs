//! What one shard counts and measures.

crate::metrics! {
    /// What one shard counts and measures, each a cell that only it writes. On cache lines of its own.
    #[repr(align(128))]
    pub struct ShardMetrics of Cell {
        received_bytes: Counter, "logtank_received_bytes_total", "Bytes received from clients.";
        sent_bytes: Counter, "logtank_sent_bytes_total", "Bytes of replies handed to the kernel.";
        batches: Counter, "logtank_batches_total", "Batches acknowledged.";
        records: Counter, "logtank_records_total", "Records appended.";
        record_bytes: Counter, "logtank_record_bytes_total", "Bytes of records appended.";
        dropped_records: Counter, "logtank_dropped_records_total", "Records without docid that set nothing, which are not kept.";
        malformed_docids: Counter, "logtank_malformed_docids_total", "Records appended whose docid is not UTF-8: what is not becomes U+FFFD, so that several such docids can become one.";
        refused_invalid: Counter, "logtank_refused_invalid_total", "Batches refused for a record that breaks the contract.";
        refused_limit: Counter, "logtank_refused_limit_total", "Batches refused for exceeding a limit.";
        refused_full: Counter, "logtank_refused_full_total", "Batches refused because the drive is nearly full.";
        refused_method: Counter, "logtank_refused_method_total", "Calls of methods that the service does not have.";
        protocol_errors: Counter, "logtank_protocol_errors_total", "Connections closed because their bytes can't be parsed.";
        tls_failures: Counter, "logtank_tls_failures_total", "Connections closed because they could not be encrypted: no TLS, or no trusted certificate.";
        connections_accepted: Counter, "logtank_connections_accepted_total", "Connections taken.";
        connections_refused: Counter, "logtank_connections_refused_total", "Connections closed at once: there were as many as may be, and none could give way.";
        connections_gave_way: Counter, "logtank_connections_gave_way_total", "Connections that rested and were closed for the next one, since there were as many as may be.";
        connections_timed_out: Counter, "logtank_connections_timed_out_total", "Connections closed for an unfinished message, or for being idle.";
        connections_shed: Counter, "logtank_connections_shed_total", "Connections closed because partly received messages took too much memory.";
        connections: Gauge, "logtank_connections", "Connections open.";
        turns: Counter, "logtank_turns_total", "Turns of the shard's loop.";
        stalls: Counter, "logtank_stalls_total", "Times that receiving stopped because memory for batches or replies was at its bound.";
        frames: Counter, "logtank_frames_total", "Frames written.";
        frame_bytes: Counter, "logtank_frame_bytes_total", "Bytes of frames written, with headers and padding.";
        segments_claimed: Counter, "logtank_segments_claimed_total", "Raw segments taken into use.";
        segments_sealed: Counter, "logtank_segments_sealed_total", "Raw segments sealed.";
        syncs: Counter, "logtank_syncs_total", "fdatasync calls that succeeded, and writes that are durable in themselves (sync = always, past the page cache).";
        sync_errors: Counter, "logtank_sync_errors_total", "fdatasync calls that failed.";
        write_errors: Counter, "logtank_write_errors_total", "Writes to the raw log that failed.";
        rewrites: Counter, "logtank_rewrites_total", "Times that un-synced frames were written again to a fresh segment.";
        staged_bytes: Gauge, "logtank_staged_bytes", "Memory of batches received but not yet handed to the kernel.";
        unsynced_bytes: Gauge, "logtank_unsynced_bytes", "Memory of frames written but not yet synced.";
        in_flight_bytes: Gauge, "logtank_in_flight_bytes", "Memory of partly received messages and unsent replies.";
        unsynced_since_nanos: Since, "logtank_unsynced_age_seconds", "Age of the oldest frame that is written but not synced, 0 if there is none.";
        ready_segments: Gauge, "logtank_ready_segments", "Segments made ready that the shard has at hand.";
        frames_placed: Gauge, "logtank_watermark_placed_frames", "Frames given a position and a place in a segment, since the start.";
        frames_acknowledged: Gauge, "logtank_watermark_acknowledged_frames", "Frames acknowledged, since the start.";
        frames_synced: Gauge, "logtank_watermark_synced_frames", "Frames synced, since the start.";
        append_latency: Histogram, "logtank_append_seconds", "From a batch received whole to its reply handed to the kernel.";
        write_latency: Histogram, "logtank_write_seconds", "Writes of frames.";
        sync_latency: Histogram, "logtank_sync_seconds", "fdatasync calls, and writes that are durable in themselves.";
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::time::{MonoNanos, Now, WallMillis};

    #[test]
    fn names_are_unique() {
        let (mut names, mut all) = (BTreeSet::new(), 0);
        ShardMetrics::default().visit(Now { wall: WallMillis(0), mono: MonoNanos(0) }, &mut |sample| {
            names.insert(sample.name);
            all += 1;
        });
        assert_eq!(names.len(), all);
    }
}
