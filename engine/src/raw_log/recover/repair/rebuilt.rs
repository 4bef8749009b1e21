//! What takes a damaged segment's place.

use std::collections::BTreeMap;

use crate::error::Corruption;
use crate::format::raw::{
    FRAME_HEADER_BYTES, FRAMES_OFFSET, FrameHeader, Header, SEAL_OFFSET, Seal, SealedBy,
};
use crate::ids::Position;
use crate::raw_log::read::frame::Frame;
use crate::raw_log::read::gaps::Spans;
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
        self.push_records(frame.first, frame.records, frame.time, frame.payload);
    }

    /// Takes of a frame what is not among `others`: adds that to `kept`, and counts the rest by index in `displaced`.
    ///
    /// # Errors
    /// Damage, where records don't parse though the checksum holds.
    pub(super) fn push_without(
        &mut self,
        frame: &Frame<'_>,
        others: &Spans,
        kept: &mut Spans,
        displaced: &mut BTreeMap<String, u64>,
    ) -> Result<(), Corruption> {
        let (mut first, mut records, mut payload) = (frame.first, 0, Vec::new());
        for record in frame.records() {
            let record = record?;
            if !others.contains(record.position.ordinal()) {
                if records == 0 {
                    first = record.position;
                }
                records += 1;
                payload.extend_from_slice(record.bytes);
                kept.add(record.position, record.position.advanced(1));
                continue;
            }
            let index = record.view.index_code.unwrap_or_default();
            *displaced.entry(String::from_utf8_lossy(index).into_owned()).or_default() += 1;
            if records > 0 {
                self.push_records(first, records, frame.time, &payload);
                (records, payload) = (0, Vec::new());
            }
        }
        if records > 0 {
            self.push_records(first, records, frame.time, &payload);
        }
        Ok(())
    }

    fn push_records(&mut self, first: Position, records: u32, time: Option<WallMillis>, payload: &[u8]) {
        let mut bytes = vec![0; FRAME_HEADER_BYTES];
        bytes.extend_from_slice(payload);
        let time = time.expect("a frame of this host's format has a time");
        FrameHeader::seal_frame(&mut bytes, self.header.salt, records, first, time);
        self.bytes.extend_from_slice(&bytes);
        let block = usize::try_from(self.header.block_bytes).expect("a block is short");
        self.bytes.resize(self.bytes.len().next_multiple_of(block), 0);
        self.frames += 1;
        self.records += u64::from(records);
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
