//! What is known durable of a segment.

use super::frame::Frame;
use crate::format::raw::FRAMES_OFFSET;
use crate::ids::Position;

/// The seal says it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Durable {
    /// Where the last durable frame ends.
    pub(super) end: u64,
    /// Its first position.
    pub(super) last: Option<Position>,
    pub(super) frames: u64,
    pub(super) records: u64,
}

impl Durable {
    pub(super) const NOTHING: Self = Self { end: FRAMES_OFFSET, last: None, frames: 0, records: 0 };

    pub(super) const fn is_anything(&self) -> bool {
        self.frames > 0
    }

    /// The next frame is durable.
    pub(super) fn add(&mut self, frame: &Frame) {
        self.last = Some(frame.first());
        self.end = frame.end();
        self.frames += 1;
        self.records += u64::from(frame.records());
    }
}
