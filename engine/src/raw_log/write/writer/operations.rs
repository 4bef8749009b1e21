//! What is under way in the kernel.

use crate::io::in_flight::{InFlight, Token};
use crate::io::op::{FileSlot, Op, Outbox, Write};
use crate::raw_log::write::config::WriterConfig;
use crate::time::MonoNanos;

/// Blocks and syncs under way beside the frames; at the bound they wait for their turn.
const OTHERS_IN_FLIGHT_MAX: usize = 64;

/// An operation under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct UnderWay {
    /// Whose.
    pub(super) segment: u64,
    pub(super) what: What,
    pub(super) begun: MonoNanos,
}

/// What an operation is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    Header,
    Frame(u64),
    Sync,
    Seal,
    SealSync,
}

/// Begins writes and syncs, and knows what each was for when it ends.
#[derive(Debug)]
pub(super) struct Operations {
    under_way: InFlight<UnderWay>,
    frames: usize,
    frames_max: usize,
    writes_are_durable: bool,
}

impl Operations {
    pub(super) fn new(config: &WriterConfig) -> Self {
        Self {
            under_way: InFlight::with_capacity(config.writes_in_flight_max + OTHERS_IN_FLIGHT_MAX),
            frames: 0,
            frames_max: config.writes_in_flight_max,
            writes_are_durable: config.writes_are_durable(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.under_way.is_empty()
    }

    /// Whether nothing can be begun.
    pub(super) fn is_full(&self) -> bool {
        self.under_way.is_full()
    }

    /// Whether as many frames are being written as may be at once.
    pub(super) const fn is_full_of_frames(&self) -> bool {
        self.frames >= self.frames_max
    }

    /// Begins a write.
    ///
    /// # Panics
    /// If the table is full: the caller asks [`Self::is_full`] first.
    pub(super) fn write(
        &mut self,
        segment: u64,
        what: What,
        write: Write,
        begun: MonoNanos,
        outbox: &mut Outbox,
    ) {
        let token = self.under_way.begin(UnderWay { segment, what, begun });
        self.frames += usize::from(matches!(what, What::Frame(_)));
        outbox.ops.push_back(Op::Write { token, write, durable: self.writes_are_durable });
    }

    /// Begins an fdatasync.
    ///
    /// # Panics
    /// If the table is full: the caller asks [`Self::is_full`] first.
    pub(super) fn sync(
        &mut self,
        segment: u64,
        what: What,
        file: FileSlot,
        begun: MonoNanos,
        outbox: &mut Outbox,
    ) {
        let token = self.under_way.begin(UnderWay { segment, what, begun });
        outbox.ops.push_back(Op::Sync { token, file });
    }

    /// An operation ended.
    ///
    /// # Panics
    /// If it is not under way: its completion came twice.
    pub(super) fn end(&mut self, token: Token) -> UnderWay {
        let ended = self.under_way.end(token);
        self.frames -= usize::from(matches!(ended.what, What::Frame(_)));
        ended
    }
}
