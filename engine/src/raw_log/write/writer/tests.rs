//! Several writers on one sequencer, which close each other's epochs at any moment.

mod between_shards;

use std::collections::BTreeMap;

use super::*;
use crate::format::frame_indexes::FrameIndexes;
use crate::format::raw::{
    FRAME_HEADER_BYTES, FRAMES_OFFSET, FrameHeader, HEADER_BYTES, Header, SEAL_BYTES, SEAL_OFFSET, Salt, Seal,
};
use crate::ids::{Epoch, Position, ShardId};
use crate::io::op::{FileSlot, Write};
use crate::limits::Limits;
use crate::testing::Choices;
use crate::time::WallMillis;

const NOW: Now = Now { wall: WallMillis(1_000), mono: MonoNanos(1_000) };
const RECORD_BYTES: usize = 10;

#[derive(Clone, Copy, Debug)]
struct Batch {
    number: u64,
    records: u32,
    /// Just past the greatest position that was acknowledged, on any shard, when it was staged.
    after: Option<Position>,
}

/// A writer and its drive.
struct Shard {
    writer: Writer,
    outbox: Outbox,
    ready: u32,
    headers: BTreeMap<u32, Header>,
    frames: Vec<FrameHeader>,
    seals: Vec<Seal>,
    batches: Vec<Batch>,
}

impl Shard {
    fn new(shard: u16, sequencer: &Arc<Sequencer>) -> Self {
        let config = WriterConfig::new(ShardId(shard), &Limits::default());
        let writer = Writer::new(config, sequencer.clone(), Arc::default(), Arc::default());
        let outbox = Outbox::default();
        let (headers, frames, seals) = Default::default();
        Self { writer, outbox, ready: 0, headers, frames, seals, batches: Vec::new() }
    }

    fn add_ready(&mut self) {
        self.ready += 1;
        let ready = u64::from(self.ready);
        let file_bytes = self.writer.config.ready_file_bytes_min();
        self.writer.ready_segment(ReadySegment {
            ready,
            file: FileSlot(self.ready),
            file_bytes,
            salt: Salt(ready),
        });
    }

    fn stage(&mut self, records: u32, after: Option<Position>) {
        let bytes = vec![7; RECORD_BYTES * records as usize];
        let number = self.writer.stage(records, FrameIndexes::ALL, bytes.len(), std::iter::once(&bytes[..]));
        self.batches.push(Batch { number, records, after });
    }

    fn turn(&mut self) {
        self.writer.turn(NOW, &mut self.outbox);
        self.outbox.events.clear();
    }

    /// The drive carries out one of the operations that were begun; whether there was one.
    fn complete(&mut self, place: usize) -> bool {
        let waiting = self.outbox.ops.len();
        let Some(op) = self.outbox.ops.remove(place % waiting.max(1)) else { return false };
        match op {
            Op::Write { token, write: Write { file: FileSlot(file), offset, buffer, from }, .. } => {
                if offset >= FRAMES_OFFSET {
                    let header = buffer[..FRAME_HEADER_BYTES].to_vec();
                    self.frames.push(FrameHeader::decode(&header, 1 << 30).unwrap());
                } else if offset == SEAL_OFFSET {
                    let block: &[u8; SEAL_BYTES] = (*buffer).try_into().unwrap();
                    self.seals.push(Seal::decode(block, &self.headers[&file]).unwrap());
                } else {
                    let block: &[u8; HEADER_BYTES] = (*buffer).try_into().unwrap();
                    self.headers.insert(file, Header::decode(block).unwrap());
                }
                let len = buffer.len() - from;
                self.writer.written(token, buffer, Ok(len), NOW, &mut self.outbox);
            }
            Op::Sync { token, .. } => self.writer.synced(token, Ok(()), NOW, &mut self.outbox),
            _ => {}
        }
        true
    }

    fn settle(&mut self) {
        self.turn();
        while self.complete(0) {
            self.turn();
        }
    }

    /// Where the batches are whose frames are written, as far as each follows the one before.
    fn places(&self) -> impl Iterator<Item = (Batch, Position)> + '_ {
        let mut frames = self.frames.clone();
        frames.sort_by_key(|frame| frame.first);
        let mut ends: Vec<u32> = vec![0; frames.len()];
        self.batches.iter().map_while(move |&batch| {
            let place = usize::try_from(batch.number).unwrap();
            let frame = frames.get(place)?;
            let first = frame.first.advanced(ends[place]);
            ends[place] += batch.records;
            Some((batch, first))
        })
    }
}

fn host(shards: u16) -> (Arc<Sequencer>, Vec<Shard>) {
    let sequencer = Arc::new(Sequencer::new(Epoch::new(1).unwrap()));
    let shards = (0..shards).map(|shard| Shard::new(shard, &sequencer)).collect();
    (sequencer, shards)
}

/// No position twice, none left out, and each batch behind what was acknowledged before it came.
fn check(shards: &[Shard], sequencer: &Sequencer, what: &str) {
    let mut epochs: BTreeMap<Epoch, Vec<(u32, u32)>> = BTreeMap::new();
    for shard in shards {
        let mut written = 0;
        for frame in &shard.frames {
            let spans = epochs.entry(frame.first.epoch()).or_default();
            spans.push((frame.first.ordinal(), frame.first.ordinal() + frame.records));
            written += frame.records;
        }
        let staged: u32 = shard.batches.iter().map(|batch| batch.records).sum();
        assert_eq!(written, staged, "{what}: each record is written once");
        assert_eq!(shard.places().count(), shard.batches.len(), "{what}");
        for (batch, first) in shard.places() {
            assert!(batch.after.is_none_or(|after| after <= first), "{what}: {batch:?} is at {first}");
        }
    }
    for (epoch, mut spans) in epochs {
        spans.sort_unstable();
        let mut next = 0;
        for (first, end) in spans {
            assert_eq!(first, next, "{what}: positions of epoch {epoch}");
            next = end;
        }
        let sealed = sequencer.records_of(epoch);
        assert!(sealed.is_none_or(|sealed| sealed == next), "{what}: {next} of {sealed:?} in epoch {epoch}");
    }
}

#[test]
fn a_frame_that_waits_with_its_positions_takes_no_batch() {
    let (sequencer, mut shards) = host(2);
    let (shard, other) = {
        let (first, rest) = shards.split_at_mut(1);
        (&mut first[0], &mut rest[0])
    };
    for shard in [&mut *shard, &mut *other] {
        shard.add_ready();
        shard.stage(1, None);
        shard.settle();
    }
    let after = Some(sequencer.next());
    // A segment is open and none is at hand: the other shard closes the epoch after this one saw that it is open.
    shard.stage(1, after);
    sequencer.close_before_reserve();
    shard.turn();
    let reserved = shard.writer.positions.reserved().expect("it has positions and no segment");
    assert_eq!((reserved.first.ordinal(), reserved.records), (0, 1), "of the new epoch");
    // Another shard continues, is acknowledged, and then come batches that are to be after that.
    other.add_ready();
    other.stage(5, after);
    other.settle();
    let after = Some(sequencer.next());
    shard.stage(5, after);
    shard.settle();
    shard.add_ready();
    shard.settle();
    let frames = |shard: &Shard| -> Vec<_> {
        shard.frames.iter().map(|frame| (frame.first.ordinal(), frame.records)).collect()
    };
    assert_eq!(frames(shard), [(0, 1), (0, 1), (6, 5)]);
    assert_eq!(frames(other), [(1, 1), (1, 5)]);
    check(&shards, &sequencer, "at the end");
}

#[test]
fn writers_that_race_never_write_a_position_twice_nor_leave_one_out() {
    let mut waited = 0;
    for seed in 1..=400_u64 {
        waited += race(seed);
    }
    assert!(waited > 100, "{waited} frames waited with their positions");
}

/// One run; how often a frame waited with its positions for a segment.
fn race(seed: u64) -> usize {
    let mut choices = Choices(seed);
    let mut random = move |below: u64| usize::try_from(choices.below(below)).unwrap();
    let (sequencer, mut shards) = host(3);
    let (mut acknowledged, mut waited) = (None, 0);
    for _ in 0..200 {
        let shard = &mut shards[random(3)];
        match random(10) {
            0..3 => shard.stage(u32::try_from(1 + random(5)).unwrap(), acknowledged),
            3 if shard.writer.ready.is_empty() => shard.add_ready(),
            4 => {
                sequencer.close(sequencer.next().epoch(), WallMillis(0));
            }
            5 => {
                let before = shard.writer.positions.reserved().is_some();
                sequencer.close_before_reserve();
                shard.turn();
                waited += usize::from(!before && shard.writer.positions.reserved().is_some());
            }
            6..8 => _ = shard.complete(random(8)),
            _ => shard.turn(),
        }
        let done = shards.iter().flat_map(|shard| {
            let below = shard.writer.acknowledged();
            let answered = shard.places().filter(move |(batch, _)| batch.number < below);
            answered.map(|(batch, first)| first.advanced(batch.records))
        });
        acknowledged = done.chain(acknowledged).max();
    }
    for _ in 0..4 {
        for shard in &mut shards {
            if shard.writer.ready.is_empty() {
                shard.add_ready();
            }
            shard.settle();
        }
    }
    assert!(shards.iter().all(|shard| shard.writer.nothing_staged()), "seed {seed}");
    check(&shards, &sequencer, &format!("seed {seed}"));
    waited
}

#[test]
fn a_segment_is_sealed_when_all_before_it_is_durable() {
    let (_, mut shards) = host(1);
    let shard = &mut shards[0];
    for _ in 0..2 {
        shard.add_ready();
        shard.stage(1, None);
        shard.turn();
        shard.writer.seal(NOW, &mut shard.outbox);
        shard.turn();
    }
    // All but the first segment's sync.
    let other = |op: &Op| !matches!(op, Op::Sync { file: FileSlot(1), .. });
    while let Some(place) = shard.outbox.ops.iter().position(other) {
        shard.complete(place);
        shard.turn();
    }
    assert_eq!((shard.outbox.ops.len(), shard.writer.metrics.segments_sealed.get()), (1, 0));
    shard.settle();
    assert_eq!(shard.writer.metrics.segments_sealed.get(), 2);
}
