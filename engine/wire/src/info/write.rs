//! Infos to bytes. Numbers and booleans are always written, also when they are 0, like the original does.

use super::{IndexLogInfo, QueueScore, RawLogInfo, SegmentInfo};
use crate::kind::Kind;
use crate::put;

fn i32_field(out: &mut Vec<u8>, id: i16, value: i32) {
    put::field(out, Kind::I32, id);
    put::i32(out, value);
}

fn i64_field(out: &mut Vec<u8>, id: i16, value: i64) {
    put::field(out, Kind::I64, id);
    put::i64(out, value);
}

impl SegmentInfo {
    fn write(&self, out: &mut Vec<u8>) {
        i64_field(out, 1, self.timestamp);
        i64_field(out, 2, self.end_timestamp);
        i64_field(out, 3, self.valid_length);
        i64_field(out, 4, self.actual_length);
        i32_field(out, 5, self.record_count);
        put::field(out, Kind::Bool, 6);
        out.push(self.sorted.into());
        put::stop(out);
    }

    fn write_list(out: &mut Vec<u8>, id: i16, segments: &[Self]) {
        if segments.is_empty() {
            return;
        }
        put::field(out, Kind::List, id);
        put::list(out, Kind::Struct, segments.len());
        for segment in segments {
            segment.write(out);
        }
    }
}

impl RawLogInfo {
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        SegmentInfo::write_list(out, 1, &self.undealt_segments);
        i64_field(out, 2, self.dealer_next_timestamp);
        put::stop(out);
    }
}

impl IndexLogInfo {
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        SegmentInfo::write_list(out, 1, &self.optimized_segments);
        SegmentInfo::write_list(out, 2, &self.sorted_segments);
        SegmentInfo::write_list(out, 3, &self.unsorted_segments);
        i64_field(out, 4, self.optimized_record_count);
        i64_field(out, 5, self.unoptimized_record_count);
        i32_field(out, 6, self.unoptimized_segments);
        i64_field(out, 7, self.last_optimization_timestamp);
        put::stop(out);
    }
}

impl QueueScore {
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        i32_field(out, 1, self.priority);
        put::field(out, Kind::Double, 2);
        put::double(out, self.score);
        put::stop(out);
    }
}
