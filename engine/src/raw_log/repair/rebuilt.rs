//! What takes a damaged segment's place.

use crate::format::raw::{
    FRAME_HEADER_BYTES, FRAMES_OFFSET, FrameHeader, Header, SEAL_OFFSET, Seal, SealedBy,
};
use crate::raw_log::frame::Frame;
use crate::time::WallMillis;

/// A segment with some of the frames of another, and its name and salt.
#[derive(Debug)]
pub(super) struct Rebuilt {
    header: Header,
    bytes: Vec<u8>,
    frames: u64,
    records: u64,
}

impl Rebuilt {
    pub(super) fn new(header: Header) -> Self {
        let mut bytes = header.encode().to_vec();
        bytes.resize(usize::try_from(FRAMES_OFFSET).expect("two blocks"), 0);
        Self { header, bytes, frames: 0, records: 0 }
    }

    pub(super) fn push(&mut self, frame: &Frame<'_>) {
        let mut bytes = vec![0; FRAME_HEADER_BYTES];
        bytes.extend_from_slice(frame.payload);
        let time = frame.time.expect("a frame of this host's format has a time");
        FrameHeader::seal_frame(&mut bytes, self.header.salt, frame.records, frame.first, time);
        self.bytes.extend_from_slice(&bytes);
        let block = usize::try_from(self.header.block_bytes).expect("a block is short");
        self.bytes.resize(self.bytes.len().next_multiple_of(block), 0);
        self.frames += 1;
        self.records += u64::from(frame.records);
    }

    pub(super) fn sealed(mut self, before: Option<Seal>, now: WallMillis) -> (Vec<u8>, u64) {
        let seal = Seal {
            salt: self.header.salt,
            epoch: self.header.epoch,
            end: self.bytes.len() as u64,
            frames: self.frames,
            records: self.records,
            // What the epoch held does not add up any more; its .lost file says so.
            epoch_records: None,
            previous: before.and_then(|seal| seal.previous),
            sealed_by: SealedBy::Recovery,
            sealed: now,
        };
        let block = seal.encode();
        let at = usize::try_from(SEAL_OFFSET).expect("one block");
        self.bytes[at..at + block.len()].copy_from_slice(&block);
        (self.bytes, self.records)
    }
}
