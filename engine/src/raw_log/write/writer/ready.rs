//! Segments made ready ahead of time: those at hand, and those asked for.

use std::collections::VecDeque;

use crate::io::op::{Op, Outbox, ShardEvent};
use crate::raw_log::write::config::WriterConfig;
use crate::raw_log::write::segment::ReadySegment;

/// Keeps as many at hand as are wanted, by asking for those that are missing.
#[derive(Debug)]
pub(super) struct Ready {
    at_hand: VecDeque<ReadySegment>,
    /// Asked for and not yet arrived.
    asked: usize,
    target: usize,
    file_bytes_min: u64,
}

impl Ready {
    pub(super) const fn new(config: &WriterConfig) -> Self {
        Self {
            at_hand: VecDeque::new(),
            asked: 0,
            target: config.ready_target,
            file_bytes_min: config.ready_file_bytes_min(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.at_hand.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.at_hand.len()
    }

    /// One came that was asked for.
    ///
    /// # Panics
    /// If its file is too short.
    pub(super) fn arrived(&mut self, segment: ReadySegment) {
        let least = self.file_bytes_min;
        assert!(
            segment.file_bytes >= least,
            "ready segment of {} bytes, at least {least} are needed",
            segment.file_bytes
        );
        self.asked = self.asked.saturating_sub(1);
        self.at_hand.push_back(segment);
    }

    /// The one that came first.
    pub(super) fn take(&mut self) -> Option<ReadySegment> {
        self.at_hand.pop_front()
    }

    /// Asks for those that are missing.
    pub(super) fn ask(&mut self, outbox: &mut Outbox) {
        let missing = self.target.saturating_sub(self.at_hand.len() + self.asked);
        if missing > 0 {
            self.asked += missing;
            outbox.events.push_back(ShardEvent::NeedReady { missing });
        }
    }

    /// Gives the one that came last back, unless it is the only one: that one is for the next epoch.
    pub(super) fn give_back(&mut self, outbox: &mut Outbox) {
        if self.at_hand.len() > 1
            && let Some(ReadySegment { ready, file, file_bytes, .. }) = self.at_hand.pop_back()
        {
            outbox.ops.push_back(Op::ReleaseFile { file });
            outbox.events.push_back(ShardEvent::GaveBack { ready, file_bytes });
        }
    }

    /// Gives up those that were not used.
    pub(super) fn release(&mut self, outbox: &mut Outbox) {
        outbox.ops.extend(self.at_hand.drain(..).map(|ready| Op::ReleaseFile { file: ready.file }));
    }
}
