//! One shard's stream of the raw log: batches in, writes and syncs out, acknowledgement by watermark.
//!
//! Frames are numbered from 0 in order of arrival. Three watermarks move over them, none ever back: placed (has a
//! position and a place in a segment) ≥ acknowledged, and placed ≥ synced; in always mode synced ≥ acknowledged, too.
//! In interval mode acknowledged follows what is written in a row, in always mode what is synced in a row.
//!
//! A frame is kept in memory until it is synced. When a write or an fdatasync fails, that segment is given up
//! (an fdatasync is never repeated on it: it would succeed without the data), and its un-synced frames are written
//! once more, same positions, to a fresh segment, the next part of the same epoch.
//!
//! Each owner keeps its own: `ready` (segments at hand and asked for), `positions` (this shard's side of the
//! sequencer), `segments` (those in use, and how each becomes complete), `operations` (what the kernel has to do),
//! `watermarks`, and `received` (this shard's side of the ledger of room). The writer joins them: what comes in is here, what follows from it is in `turn`.

mod operations;
mod positions;
mod ready;
mod received;
mod segments;
#[cfg(test)]
mod tests;
mod turn;
mod watermarks;

use std::io;
use std::sync::Arc;

use super::config::{AppendMode, WriterConfig};
use super::group_sync::GroupSync;
use super::pool::BufferPool;
use super::segment::{Failure, ReadySegment};
use super::stage::Stage;
use crate::format::frame_indexes::FrameIndexes;
use crate::format::raw::FRAMES_OFFSET;
use crate::io::buffers::AlignedBuf;
use crate::io::in_flight::Token;
use crate::io::op::{Op, Outbox, ShardEvent};
use crate::metrics::ShardMetrics;
use crate::mutant::bug;
use crate::room::ledger::Ledger;
use crate::sequencer::Sequencer;
use crate::time::{MonoNanos, Now};

use operations::{Operations, UnderWay, What};
use positions::Positions;
use ready::Ready;
use received::Received;
use segments::Segments;
use watermarks::Watermarks;

/// What failed on a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failing {
    Write,
    Sync,
}

impl Failing {
    const fn name(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Sync => "fdatasync",
        }
    }
}

/// Writes one stream. See the module.
#[derive(Debug)]
pub(crate) struct Writer {
    config: WriterConfig,
    metrics: Arc<ShardMetrics>,
    pool: BufferPool,
    stage: Stage,
    ready: Ready,
    positions: Positions,
    segments: Segments,
    operations: Operations,
    watermarks: Watermarks,
    received: Received,
    group_sync: GroupSync,
    /// A failure that can't be mended; nothing is done any more.
    fatal: bool,
}

impl Writer {
    /// A stream without segments.
    #[must_use]
    pub(crate) fn new(
        config: WriterConfig,
        sequencer: Arc<Sequencer>,
        metrics: Arc<ShardMetrics>,
        ledger: Arc<Ledger>,
    ) -> Self {
        Self {
            pool: BufferPool::new(config.unsynced_bytes_max),
            stage: Stage::new(config.frame_bytes_target, config.append.block_bytes()),
            ready: Ready::new(&config),
            positions: Positions::new(sequencer, config.shard),
            segments: Segments::default(),
            operations: Operations::new(&config),
            watermarks: Watermarks::new(config.sync),
            received: Received::new(&config, ledger),
            group_sync: GroupSync::new(config.sync, config.unsynced_bytes_max / 2),
            fatal: false,
            config,
            metrics,
        }
    }

    /// Whether there is memory for one more batch of any size.
    #[must_use]
    pub(crate) const fn has_room(&self) -> bool {
        let lent = self.pool.lent_bytes();
        lent == 0 || lent + self.config.batch_bytes_max <= self.config.unsynced_bytes_max
    }

    /// Whether one more batch of any size can be dealt, as far as the drive has room.
    #[must_use]
    pub(crate) fn may_be_dealt(&self) -> bool {
        self.received.admits_another()
    }

    /// Whether one more batch of any size has a place: it would not wait in memory for a segment that there is no room for.
    #[must_use]
    pub(crate) fn has_place(&self) -> bool {
        if !self.received.keeps_to_segments() || bug!(PlaceForgotten) {
            return true;
        }
        // Other shards may end the epoch at any moment, and with it the open segment: where another one is at hand, what is
        // staged has all its place there. A segment takes frames until it is full, and its last one may be of any size.
        let (staged, full) = (self.stage.frame_bytes(), self.config.segment_roll_bytes);
        if self.segments.has_failed() {
            false
        } else if self.ready.is_empty() {
            let epoch = self.positions.epoch();
            self.segments.open().is_some_and(|open| open.epoch() == epoch && open.end() + staged < full)
        } else {
            FRAMES_OFFSET + staged < full
        }
    }

    /// Whether what is staged is put into segments at once, however many frames are being written: when the last segment at
    /// hand is in use, whoever ends its epoch leaves no place for the rest.
    fn places_all(&self) -> bool {
        self.ready.is_empty() && self.received.keeps_to_segments()
    }

    /// Takes a batch of `records` records of these indexes, which are `bytes` bytes in `pieces`. It is durable, or acknowledged, when
    /// [`Self::acknowledged`] exceeds the number returned.
    pub(crate) fn stage<'p>(
        &mut self,
        records: u32,
        indexes: FrameIndexes,
        bytes: usize,
        pieces: impl Iterator<Item = &'p [u8]>,
    ) -> u64 {
        self.received.take(bytes);
        self.stage.append(&mut self.pool, records, indexes, bytes, pieces)
    }

    /// Batches in frames with a number below this may be answered. Moves in [`Self::turn`].
    #[must_use]
    pub(crate) const fn acknowledged(&self) -> u64 {
        self.watermarks.acknowledged()
    }

    /// A segment made ready ahead of time.
    ///
    /// # Panics
    /// If its file is too short: whoever prepares them knows [`WriterConfig::ready_file_bytes_min`].
    pub(crate) fn ready_segment(&mut self, segment: ReadySegment) {
        self.ready.arrived(segment);
    }

    /// Whether nothing is staged, under way or unsealed.
    #[must_use]
    pub(crate) fn is_idle(&self) -> bool {
        self.stage.is_empty() && self.segments.is_empty() && self.operations.is_empty()
    }

    /// Whether nothing is staged (all of it has a place in a segment).
    #[must_use]
    pub(crate) fn nothing_staged(&self) -> bool {
        self.stage.is_empty()
    }

    /// Gives up the ready segments that were not used.
    pub(crate) fn release_ready(&mut self, outbox: &mut Outbox) {
        self.ready.release(outbox);
    }

    /// Gives one of the ready segments back, if there are several.
    pub(crate) fn give_back(&mut self, outbox: &mut Outbox) {
        self.ready.give_back(outbox);
    }

    /// Closes the current epoch, if it has records (of whichever shard).
    pub(crate) fn seal(&mut self, now: Now, outbox: &mut Outbox) {
        self.positions.close(self.positions.epoch(), now.wall, outbox);
    }

    /// Closes the epoch that this shard writes to, if there is one; whether there was.
    pub(crate) fn close_own_epoch(&mut self, now: Now, outbox: &mut Outbox) -> bool {
        let Some(open) = self.segments.open() else { return false };
        self.positions.close(open.epoch(), now.wall, outbox);
        true
    }

    /// When [`Self::turn`] has something to do though nothing happened.
    #[must_use]
    pub(crate) fn deadline(&self) -> Option<MonoNanos> {
        let sync = self.segments.oldest_to_sync().map(|oldest| self.group_sync.begins_at(oldest));
        let epoch = self.segments.open().map(|open| self.old_at(open));
        sync.into_iter().chain(epoch).min()
    }

    /// A write ended.
    pub(crate) fn written(
        &mut self,
        token: Token,
        buffer: AlignedBuf,
        result: io::Result<usize>,
        now: Now,
        outbox: &mut Outbox,
    ) {
        let UnderWay { segment: id, what, begun } = self.operations.end(token);
        let segment = self.segments.by_id(id);
        segment.operation_ended();
        match what {
            What::Frame(number) => {
                let duration = now.mono.since(begun);
                self.metrics.write_latency.record(duration);
                if self.config.writes_are_durable() {
                    self.metrics.syncs.add(1);
                    self.metrics.sync_latency.record(duration);
                }
                match segment.frame_written(number, buffer, result, now.mono) {
                    Ok(None) => self.frame_written(id, outbox),
                    Ok(Some(rest)) => self.operations.write(id, what, rest, now.mono, outbox),
                    Err(error) => self.failed(id, Failing::Write, &error, outbox),
                }
            }
            What::Header | What::Seal => {
                let whole = whole_block(&buffer, result);
                self.pool.give(buffer);
                match (whole, what) {
                    (Err(error), _) => self.failed(id, Failing::Write, &error, outbox),
                    (Ok(()), What::Header) => self.header_written(id, outbox),
                    (Ok(()), _) => {
                        segment.begin_seal_sync();
                        self.operations.sync(id, What::SealSync, segment.file(), now.mono, outbox);
                    }
                }
            }
            What::Sync | What::SealSync => unreachable!("a sync's completion is no write's"),
        }
    }

    fn header_written(&mut self, id: u64, outbox: &mut Outbox) {
        self.segments.by_id(id).header_is_written();
        if self.config.writes_are_durable() {
            self.claimed(id, outbox);
        }
        self.note_durable_writes(id);
    }

    /// The header is durable, so the file may get its name. Nobody else syncs it for that: an fdatasync tells whoever asks
    /// first that data is lost, and a shard that asks second would believe in it.
    fn claimed(&mut self, id: u64, outbox: &mut Outbox) {
        let segment = self.segments.by_id(id);
        if segment.claim() {
            let (ready, epoch, part) = (segment.ready(), segment.epoch(), segment.part());
            outbox.events.push_back(ShardEvent::Claimed { ready, epoch, part });
        }
    }

    fn frame_written(&mut self, id: u64, outbox: &mut Outbox) {
        let segment = self.segments.by_id(id);
        if self.config.append == AppendMode::Buffered
            && let Some((offset, len)) = segment.write_out(self.config.write_out_bytes)
        {
            outbox.ops.push_back(Op::WriteOut { file: segment.file(), offset, len });
        }
        self.note_durable_writes(id);
    }

    /// Where writes are durable, what is written in a row is synced with it.
    fn note_durable_writes(&mut self, id: u64) {
        if self.config.writes_are_durable() {
            for buffer in self.segments.by_id(id).take_written() {
                self.watermarks.forget(buffer.capacity());
                self.pool.give(buffer);
            }
        }
    }

    /// An fdatasync ended.
    pub(crate) fn synced(&mut self, token: Token, result: io::Result<()>, now: Now, outbox: &mut Outbox) {
        let UnderWay { segment: id, what, begun } = self.operations.end(token);
        let segment = self.segments.by_id(id);
        segment.operation_ended();
        let duration = now.mono.since(begun);
        self.metrics.sync_latency.record(duration);
        match (what, result) {
            (What::Sync, Ok(())) => {
                self.metrics.syncs.add(1);
                self.group_sync.measured(duration);
                for buffer in segment.take_synced() {
                    self.watermarks.forget(buffer.capacity());
                    self.pool.give(buffer);
                }
                self.claimed(id, outbox);
            }
            (What::SealSync, Ok(())) => {
                self.metrics.syncs.add(1);
                self.sealed(id, outbox);
            }
            (What::Sync | What::SealSync, Err(error)) => {
                self.metrics.sync_errors.add(1);
                segment.sync_failed();
                self.failed(id, Failing::Sync, &error, outbox);
            }
            (What::Header | What::Frame(_) | What::Seal, _) => {
                unreachable!("a write's completion is no sync's")
            }
        }
    }

    /// The segment is complete.
    fn sealed(&mut self, id: u64, outbox: &mut Outbox) {
        let segment = self.segments.take_sealed(id);
        outbox.ops.push_back(Op::ReleaseFile { file: segment.file() });
        let (ready, epoch, part) = (segment.ready(), segment.epoch(), segment.part());
        outbox.events.push_back(ShardEvent::Sealed { ready, epoch, part });
        self.metrics.segments_sealed.add(1);
        self.received.add_sealed(&segment);
    }

    /// An operation on a segment failed: its un-synced frames will be written elsewhere, unless that is the second time.
    fn failed(&mut self, id: u64, failing: Failing, error: &io::Error, outbox: &mut Outbox) {
        if failing == Failing::Write {
            self.metrics.write_errors.add(1);
        }
        let segment = self.segments.by_id(id);
        let (verb, epoch, part, ready) = (failing.name(), segment.epoch(), segment.part(), segment.ready());
        let what = format!("{verb} of raw segment {epoch}, part {part} (ready-{ready}): {error}");
        match segment.fail() {
            Failure::Mendable => outbox.events.push_back(ShardEvent::Rewriting { what }),
            Failure::Final if !self.fatal => {
                self.fatal = true;
                outbox.events.push_back(ShardEvent::Fatal { what });
            }
            Failure::Final | Failure::Known => {}
        }
    }
}

fn whole_block(buffer: &AlignedBuf, result: io::Result<usize>) -> io::Result<()> {
    match result {
        Ok(bytes) if bytes == buffer.len() => Ok(()),
        Ok(_) => Err(io::ErrorKind::WriteZero.into()),
        Err(error) => Err(error),
    }
}
