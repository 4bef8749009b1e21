//! After an I/O error: the frames that are not known durable are written once more, to a fresh segment.

use super::Writer;
use crate::format::raw::{FRAME_HEADER_BYTES, FrameHeader};
use crate::io::op::Outbox;
use crate::mutant::or_bug;
use crate::raw_log::segment::{Frame, Phase};
use crate::time::Now;

impl Writer {
    /// Takes the frames out of segments that failed, once nothing is under way there and a ready segment is at hand.
    pub(super) fn rescue_failed(&mut self, now: Now, outbox: &mut Outbox) {
        while let Some(place) =
            self.segments.iter().position(|segment| segment.phase == Phase::Failed && segment.under_way == 0)
        {
            let (header, follows) = (self.segments[place].header, self.segments[place].last_synced());
            if !self.claim(header.epoch, header.part + 1, follows, place + 1, now, outbox) {
                return;
            }
            let frames = self.segments[place].take_unsynced();
            let last = frames.back().expect("a segment fails only while frames are un-synced").number;
            self.segments[place].phase = Phase::Superseded(last + 1);
            let fresh = &mut self.segments[place + 1];
            for mut frame in frames {
                let buffer = frame.buffer.as_mut().expect("nothing is under way");
                let bytes = &mut buffer[..frame.frame_bytes];
                let bytes = or_bug!(RescueKeepsSalt, bytes, &mut [0; FRAME_HEADER_BYTES][..]);
                let (salt, before) = (fresh.header.salt, fresh.before_next());
                let Frame { records, first, time, indexes, .. } = frame;
                FrameHeader::seal_frame_of(bytes, salt, records, first, time, indexes, before);
                frame.rewritten = true;
                fresh.push(frame);
            }
            // Only the last segment can take more; where its epoch is closed it is about to close anyway.
            if place + 2 < self.segments.len() {
                self.segments[place + 1].phase = Phase::Closing;
            }
            self.metrics.rewrites.add(1);
        }
    }
}
