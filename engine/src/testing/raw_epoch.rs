use logtank_wire::record::RecordWriter;

use super::MemDisk;
use crate::format::frame_indexes::FrameIndexes;
use crate::format::names::RawName;
use crate::format::raw::{
    FRAME_HEADER_BYTES, FRAMES_OFFSET, FrameBefore, FrameHeader, Header, Salt, Seal, SealedBy, VERSION,
};
use crate::ids::{Epoch, Position, ShardId};
use crate::store::Store;
use crate::time::WallMillis;

const BLOCK_BYTES: usize = 8;

/// An epoch of the raw log as shards would write it.
#[derive(Clone, Debug)]
pub struct RawEpoch {
    epoch: Epoch,
    shards: Vec<Segment>,
    next: Position,
}

#[derive(Clone, Debug, Default)]
struct Segment {
    bytes: Vec<u8>,
    frames: u64,
    records: u64,
    /// Where the last frame begins, and which indexes it holds.
    last: Option<(usize, FrameIndexes)>,
}

/// A record as a client sends it: of `code` and `docid`, with `text` as its only field; without text, it deletes.
#[must_use]
pub fn raw_record(code: &str, docid: &str, text: Option<&str>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = RecordWriter::begin(&mut bytes);
    writer.index_code(code.as_bytes());
    writer.docid(docid.as_bytes());
    writer.deleted(text.is_none());
    if let Some(text) = text {
        writer.fields([(&b"text"[..], text.as_bytes())].into_iter());
    }
    writer.finish();
    bytes
}

impl RawEpoch {
    /// An epoch that `shards` shards write to, without a record.
    ///
    /// # Panics
    /// If the number is no epoch.
    #[must_use]
    pub fn new(millis: u64, shards: usize) -> Self {
        let epoch = Epoch::new(millis).expect("tests use small numbers");
        Self { epoch, shards: vec![Segment::default(); shards], next: Position::new(epoch, 0) }
    }

    /// The position of the next record.
    #[must_use]
    pub const fn next(&self) -> Position {
        self.next
    }

    /// Appends a frame with these records to a shard's segment. Its time is the epoch's.
    ///
    /// # Panics
    /// If there is no such shard, or no record.
    pub fn frame(&mut self, shard: usize, records: &[Vec<u8>]) {
        let count = u32::try_from(records.len()).expect("tests are small");
        let mut frame = vec![0; FRAME_HEADER_BYTES];
        frame.extend(records.concat());
        let time = WallMillis(self.epoch.millis());
        let (salt, first) = (self.salt(shard), self.next);
        FrameHeader::seal_frame(&mut frame, salt, count, first, time);
        let indexes = FrameHeader::decode(&frame, u64::MAX).expect("just sealed").indexes;
        let segment = &mut self.shards[shard];
        let begin = segment.bytes.len();
        let before = segment.last.map(|(last, indexes)| {
            let bytes = u32::try_from(begin - last).expect("tests are small");
            FrameBefore { bytes, indexes }
        });
        segment.last = Some((begin, indexes));
        FrameHeader::seal_frame_of(&mut frame, salt, count, first, time, indexes, before);
        self.next = Position::from_packed(self.next.packed() + u64::from(count));
        frame.resize(frame.len().next_multiple_of(BLOCK_BYTES), 0);
        segment.bytes.extend(frame);
        segment.frames += 1;
        segment.records += u64::from(count);
    }

    /// Writes its segments to raw/live/, sealed by their writers or still open.
    ///
    /// # Panics
    /// Never in a test that is small.
    pub fn put(&self, store: &Store<MemDisk>, sealed: bool) {
        for (shard, segment) in self.shards.iter().enumerate() {
            let header = self.header(shard, segment);
            let mut bytes = header.encode().to_vec();
            if sealed {
                bytes.extend(self.seal(&header, segment).encode());
            }
            bytes.resize(FRAMES_OFFSET as usize, 0);
            bytes.extend(&segment.bytes);
            bytes.resize(header.file_bytes as usize, 0);
            store.disk().put(store.layout().live(self.name(shard)), &bytes);
        }
    }

    /// The name of a shard's segment.
    ///
    /// # Panics
    /// If there are more shards than a host may have.
    #[must_use]
    pub fn name(&self, shard: usize) -> RawName {
        let shard = ShardId(shard.try_into().expect("tests are small"));
        RawName::Segment { epoch: self.epoch, shard, part: 0 }
    }

    fn salt(&self, shard: usize) -> Salt {
        Salt(self.epoch.millis() << 8 | shard as u64)
    }

    fn header(&self, shard: usize, segment: &Segment) -> Header {
        Header {
            version: VERSION,
            block_bytes: BLOCK_BYTES as u32,
            epoch: self.epoch,
            shard: ShardId(shard.try_into().expect("tests are small")),
            part: 0,
            salt: self.salt(shard),
            created: WallMillis(self.epoch.millis()),
            file_bytes: FRAMES_OFFSET + segment.bytes.len() as u64 + 4096,
            follows: None,
        }
    }

    fn seal(&self, header: &Header, segment: &Segment) -> Seal {
        Seal {
            salt: header.salt,
            epoch: self.epoch,
            end: FRAMES_OFFSET + segment.bytes.len() as u64,
            frames: segment.frames,
            records: segment.records,
            epoch_records: Some(self.next.ordinal()),
            previous: None,
            sealed_by: SealedBy::Writer,
            sealed: WallMillis(self.epoch.millis() + 1),
        }
    }
}
