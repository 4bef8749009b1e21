//! A shard's writer and its drive: what one writes to two segments.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::format::frame_indexes::FrameIndexes;
use crate::format::raw::Salt;
use crate::ids::{Epoch, ShardId};
use crate::io::op::{FileSlot, Op, Outbox, Write};
use crate::limits::Limits;
use crate::raw_log::write::config::{AppendMode, WriterConfig};
use crate::raw_log::write::segment::ReadySegment;
use crate::raw_log::write::writer::Writer;
use crate::sequencer::Sequencer;
use crate::testing::raw_record;
use crate::time::{MonoNanos, Now, WallMillis};

pub(super) const EPOCH: u64 = 1_795_343_512_642;

/// A batch: each record's index, docid and text; without text, a deletion.
type Batch = &'static [(&'static str, &'static str, Option<&'static str>)];

pub(super) const BATCHES: [Batch; 3] = [
    &[("a", "one", Some("first text")), ("b", "two", None)],
    &[("a", "três", Some("second text"))],
    &[("c", "four", Some("of the next epoch"))],
];

struct Drive {
    writer: Writer,
    outbox: Outbox,
    files: BTreeMap<u32, Vec<u8>>,
}

impl Drive {
    fn settle(&mut self, now: Now) {
        self.writer.turn(now, &mut self.outbox);
        while let Some(op) = self.outbox.ops.pop_front() {
            match op {
                Op::Write { token, write: Write { file, offset, buffer, from }, .. } => {
                    let (bytes, at) = (&buffer[from..], usize::try_from(offset).unwrap());
                    self.files.get_mut(&file.0).unwrap()[at..at + bytes.len()].copy_from_slice(bytes);
                    let len = bytes.len();
                    self.writer.written(token, buffer, Ok(len), now, &mut self.outbox);
                }
                Op::Sync { token, .. } => self.writer.synced(token, Ok(()), now, &mut self.outbox),
                _ => {}
            }
            self.writer.turn(now, &mut self.outbox);
        }
    }

    fn stage(&mut self, batch: Batch) {
        let records: Vec<_> =
            batch.iter().map(|(code, docid, text)| raw_record(code, docid, *text)).collect();
        let mut indexes = FrameIndexes::NONE;
        batch.iter().for_each(|(code, ..)| indexes.add(code.as_bytes()));
        let bytes = records.concat();
        let count = u32::try_from(batch.len()).unwrap();
        self.writer.stage(count, indexes, bytes.len(), std::iter::once(&bytes[..]));
    }
}

/// The first two batches to a segment that is sealed, the last one to one that is not.
pub(super) fn segments(shard: u16, append: AppendMode) -> [Vec<u8>; 2] {
    let limits = Limits { segment_roll_bytes: 20_480, message_bytes_max: 4_000, ..Limits::default() };
    let config = WriterConfig { append, ..WriterConfig::new(ShardId(shard), &limits) };
    let file_bytes = config.ready_file_bytes_min();
    let sequencer =
        Arc::new(Sequencer::after(Some(Epoch::new(EPOCH - 7).unwrap()), Epoch::new(EPOCH).unwrap()));
    let writer = Writer::new(config, sequencer, Arc::default(), Arc::default());
    let mut drive = Drive { writer, outbox: Outbox::default(), files: BTreeMap::new() };
    for number in 0..2 {
        let salt = Salt(0x0123_4567_89ab_cdef + u64::from(number));
        let ready = ReadySegment { ready: number.into(), file: FileSlot(number), file_bytes, salt };
        drive.files.insert(number, vec![0; usize::try_from(file_bytes).unwrap()]);
        drive.writer.ready_segment(ready);
    }
    let at = |millis: u64| Now { wall: WallMillis(EPOCH + millis), mono: MonoNanos(millis * 1_000_000) };
    for (batch, now) in BATCHES.into_iter().zip([at(10), at(20), at(40)]) {
        drive.stage(batch);
        drive.settle(now);
        if now == at(20) {
            drive.writer.seal(at(30), &mut drive.outbox);
            drive.settle(at(30));
        }
    }
    [0, 1].map(|file| drive.files.remove(&file).unwrap())
}
