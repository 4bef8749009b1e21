//! What is under way on a shard's ring: it outlives the shard, since a crash leaves it half-done.

use std::cell::RefCell;
use std::io;

use logtank_engine::io::{AlignedBuf, ConnectionId, Token};

use crate::disk::{RingFile, SimDisk};

/// An operation under way.
pub(super) struct UnderWay {
    /// When it completes.
    pub(super) due: u64,
    pub(super) begun: u64,
    pub(super) what: What,
}

pub(super) enum What {
    Write {
        token: Token,
        file: RingFile,
        offset: u64,
        buffer: AlignedBuf,
        from: usize,
        durable: bool,
        /// It is done, though nobody was told yet.
        result: Option<io::Result<usize>>,
    },
    Sync {
        token: Token,
        file: RingFile,
        covers: u64,
    },
    /// Work that was said to be done already: only of a deliberate bug.
    Late(Late),
    Send {
        connection: ConnectionId,
        bytes: Vec<u8>,
    },
}

pub(super) enum Late {
    Write { file: RingFile, offset: u64, bytes: Vec<u8> },
    Sync { file: RingFile, covers: u64 },
}

/// All that is under way on one ring.
#[derive(Default)]
pub(super) struct Ring(pub(super) RefCell<Vec<UnderWay>>);

impl Ring {
    /// When the next operation completes.
    pub(super) fn next_due(&self) -> Option<u64> {
        self.0.borrow().iter().map(|operation| operation.due).min()
    }

    /// The next operation that completes by now, if any.
    pub(super) fn take_due(&self, now: u64) -> Option<UnderWay> {
        let mut all = self.0.borrow_mut();
        let (place, next) = all.iter().enumerate().min_by_key(|(_, operation)| operation.due)?;
        if next.due > now { None } else { Some(all.remove(place)) }
    }

    /// Whether a sync that began before `then` is still under way.
    pub(super) fn has_sync_since(&self, then: u64) -> bool {
        let of = |operation: &UnderWay| matches!(operation.what, What::Sync { .. }) && operation.begun < then;
        self.0.borrow().iter().any(of)
    }

    /// The process ended: writes under way happened in part, or not.
    pub(super) fn abandon(&self, disk: &SimDisk) {
        for operation in self.0.take() {
            if let What::Write { file, offset, buffer, from, result: None, .. } = operation.what
                && disk.faults().random().percent(50)
            {
                disk.ring_write_in_part(file, offset, &buffer[from..]);
            }
        }
    }
}
