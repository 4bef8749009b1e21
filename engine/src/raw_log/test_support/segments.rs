//! Bytes of raw segments.

use logtank_wire::record::RecordWriter;

use crate::format::names::RawName;
use crate::format::raw::{
    FRAME_HEADER_BYTES, FRAMES_OFFSET, FrameHeader, HEADER_BYTES, Header, SEAL_BYTES, SEAL_OFFSET, Salt,
    Seal, SealedBy, VERSION,
};
use crate::ids::{Epoch, Position, ShardId};
use crate::time::WallMillis;

pub(crate) fn epoch(millis: u64) -> Epoch {
    Epoch::new(millis).unwrap()
}

pub(crate) fn position(millis: u64, ordinal: u32) -> Position {
    Position::new(epoch(millis), ordinal)
}

/// A segment of this host, frame by frame. Each record's docid is its position.
#[derive(Clone, Debug)]
pub(crate) struct SegmentBytes {
    pub(crate) header: Header,
    pub(crate) bytes: Vec<u8>,
    /// Where frames begin; the last is where the next would.
    pub(crate) offsets: Vec<u64>,
    /// For the seal.
    pub(crate) previous: Option<Epoch>,
    records: u64,
}

impl SegmentBytes {
    pub(crate) fn new(millis: u64, shard: u16, part: u32, block_bytes: u32) -> Self {
        let header = Header {
            version: VERSION,
            block_bytes,
            epoch: epoch(millis),
            shard: ShardId(shard),
            part,
            salt: Salt(millis * 1_000_003 + u64::from(shard) * 101 + u64::from(part)),
            created: WallMillis(millis),
            file_bytes: 1 << 16,
            follows: None,
        };
        let mut bytes = header.encode().to_vec();
        bytes.resize(FRAMES_OFFSET as usize, 0);
        Self { header, bytes, offsets: vec![FRAMES_OFFSET], previous: None, records: 0 }
    }

    /// Sets the length of the file.
    pub(crate) fn file_bytes(mut self, file_bytes: u64) -> Self {
        self.header.file_bytes = file_bytes;
        self.bytes[..HEADER_BYTES].copy_from_slice(&self.header.encode());
        self
    }

    /// Says in the header that its shard wrote the frame at this position before.
    pub(crate) fn follows(mut self, millis: u64, ordinal: u32) -> Self {
        self.header.follows = Some(position(millis, ordinal));
        self.bytes[..HEADER_BYTES].copy_from_slice(&self.header.encode());
        self
    }

    pub(crate) fn name(&self) -> RawName {
        RawName::Segment { epoch: self.header.epoch, shard: self.header.shard, part: self.header.part }
    }

    pub(crate) fn end(&self) -> u64 {
        *self.offsets.last().unwrap()
    }

    /// Adds a frame of `records` records from ordinal `first` on.
    pub(crate) fn frame(self, first: u32, records: u32) -> Self {
        self.frame_of(first, records, 0)
    }

    /// Adds a frame whose records have so many bytes more each.
    pub(crate) fn frame_of(mut self, first: u32, records: u32, more: usize) -> Self {
        let position = Position::new(self.header.epoch, first);
        let mut frame = vec![0; FRAME_HEADER_BYTES];
        for record in 0..records {
            let docid = format!("{}{}", position.advanced(record), "x".repeat(more));
            let mut writer = RecordWriter::begin(&mut frame);
            writer.index_code(b"m");
            writer.docid(docid.as_bytes());
            writer.deleted(true);
            writer.finish();
        }
        let time = WallMillis(self.header.epoch.millis() + u64::from(first));
        FrameHeader::seal_frame(&mut frame, self.header.salt, records, position, time);
        self.bytes.extend_from_slice(&frame);
        self.pad();
        self.records += u64::from(records);
        self.offsets.push(self.bytes.len() as u64);
        self
    }

    fn pad(&mut self) {
        let padded = self.bytes.len().next_multiple_of(self.header.block_bytes as usize);
        self.bytes.resize(padded, 0);
    }

    /// Leaves a block of zeros where a frame was not written.
    pub(crate) fn hole(mut self) -> Self {
        let block = self.header.block_bytes as usize;
        self.bytes.resize(self.bytes.len() + block, 0);
        *self.offsets.last_mut().unwrap() = self.bytes.len() as u64;
        self
    }

    /// Bytes that belong to no frame.
    pub(crate) fn junk(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend_from_slice(bytes);
        self.pad();
        *self.offsets.last_mut().unwrap() = self.bytes.len() as u64;
        self
    }

    /// Says in the seal that this epoch was closed before.
    pub(crate) fn after(mut self, millis: u64) -> Self {
        self.previous = Some(epoch(millis));
        self
    }

    pub(crate) fn sealed(self, epoch_records: u32) -> Self {
        self.sealed_by(SealedBy::Writer, Some(epoch_records))
    }

    pub(crate) fn sealed_by(mut self, sealed_by: SealedBy, epoch_records: Option<u32>) -> Self {
        let seal = Seal {
            salt: self.header.salt,
            epoch: self.header.epoch,
            end: self.end(),
            frames: self.offsets.len() as u64 - 1,
            records: self.records,
            epoch_records,
            previous: self.previous,
            sealed_by,
            sealed: WallMillis(9),
        };
        let at = SEAL_OFFSET as usize;
        self.bytes[at..at + SEAL_BYTES].copy_from_slice(&seal.encode());
        self
    }

    /// The file, at its full length, with what an earlier life left behind the last frame.
    pub(crate) fn full(&self, left: u8) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        bytes.resize(self.header.file_bytes as usize, left);
        bytes
    }
}

/// A segment of the original.
#[derive(Clone, Debug, Default)]
pub(crate) struct LegacyBytes {
    pub(crate) bytes: Vec<u8>,
    /// Where records begin; the last is where the next would.
    pub(crate) offsets: Vec<usize>,
}

impl LegacyBytes {
    pub(crate) fn new() -> Self {
        Self { bytes: Vec::new(), offsets: vec![0] }
    }

    pub(crate) fn record(mut self, docid: &[u8], time: i64) -> Self {
        let mut writer = RecordWriter::begin(&mut self.bytes);
        writer.timestamp_ms(time);
        writer.index_code(b"m");
        writer.docid(docid);
        writer.deleted(false);
        let text: [(&[u8], &[u8]); 1] = [(b"text", b"some words")];
        writer.fields(text.into_iter());
        writer.finish();
        self.offsets.push(self.bytes.len());
        self
    }
}
