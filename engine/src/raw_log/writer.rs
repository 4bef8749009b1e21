//! One shard's stream of the raw log: batches in, writes and syncs out, acknowledgement by watermark.
//!
//! Frames are numbered from 0 in order of arrival. Three watermarks move over them, none ever back: placed (has a
//! position and a place in a segment) ≥ acknowledged, and placed ≥ synced; in always mode synced ≥ acknowledged, too.
//! In interval mode acknowledged follows what is written in a row, in always mode what is synced in a row.
//!
//! A frame is kept in memory until it is synced. When a write or an fdatasync fails, that segment is given up
//! (an fdatasync is never repeated on it: it would succeed without the data), and its un-synced frames are written
//! once more, same positions, to a fresh segment, the next part of the same epoch.

mod completion;
mod dispatch;
mod epochs;
mod rescue;
mod syncing;

use std::collections::VecDeque;
use std::sync::Arc;

use super::config::WriterConfig;
use super::group_sync::GroupSync;
use super::pool::BufferPool;
use super::segment::{Phase, ReadySegment, Segment};
use super::stage::Stage;
use crate::format::frame_indexes::FrameIndexes;
use crate::format::raw::{FRAME_HEADER_BYTES, FRAMES_OFFSET};
use crate::ids::{Epoch, Position};
use crate::io::in_flight::InFlight;
use crate::io::op::{Op, Outbox, ShardEvent};
use crate::metrics::ShardMetrics;
use crate::room::ledger::Ledger;
use crate::sequencer::Sequencer;
use crate::time::{MonoNanos, Now};

/// Blocks and syncs under way beside the frames; at the bound they wait for their turn.
const OTHERS_IN_FLIGHT_MAX: usize = 64;

/// What an operation under way is for.
#[derive(Clone, Copy, Debug)]
struct UnderWay {
    segment: u64,
    what: What,
    begun: MonoNanos,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Header,
    Frame(u64),
    Sync,
    Seal,
    SealSync,
}

/// Positions in a row, taken for one frame.
#[derive(Clone, Copy, Debug)]
struct Reserved {
    first: Position,
    records: u32,
}

/// Writes one stream. See the module.
#[derive(Debug)]
pub struct Writer {
    config: WriterConfig,
    sequencer: Arc<Sequencer>,
    metrics: Arc<ShardMetrics>,
    ledger: Arc<Ledger>,
    /// What stands in segments that are sealed.
    sealed_bytes: u64,
    pool: BufferPool,
    stage: Stage,
    ready: VecDeque<ReadySegment>,
    /// Ready segments asked for and not yet arrived.
    asked: usize,
    /// In order of their frames; only the last one can be open.
    segments: VecDeque<Segment>,
    segments_ever: u64,
    /// First position of the frame that got its place last.
    last_placed: Option<Position>,
    last_placed_at: MonoNanos,
    /// What was taken for the first staged frame, whose epoch has no segment yet.
    reserved: Option<Reserved>,
    /// What the sequencer was told last.
    needs_from: Option<Epoch>,
    in_flight: InFlight<UnderWay>,
    frames_in_flight: usize,
    /// Number of the next frame to get a place.
    placed: u64,
    acknowledged: u64,
    synced: u64,
    unsynced_bytes: usize,
    group_sync: GroupSync,
    /// A failure that can't be mended; nothing is done any more.
    fatal: bool,
}

impl Writer {
    /// A stream without segments.
    #[must_use]
    pub fn new(
        config: WriterConfig,
        sequencer: Arc<Sequencer>,
        metrics: Arc<ShardMetrics>,
        ledger: Arc<Ledger>,
    ) -> Self {
        Self {
            pool: BufferPool::new(config.unsynced_bytes_max),
            stage: Stage::new(config.frame_bytes_target),
            ready: VecDeque::new(),
            asked: 0,
            segments: VecDeque::new(),
            segments_ever: 0,
            last_placed: None,
            last_placed_at: MonoNanos(0),
            reserved: None,
            needs_from: None,
            in_flight: InFlight::with_capacity(config.writes_in_flight_max + OTHERS_IN_FLIGHT_MAX),
            frames_in_flight: 0,
            placed: 0,
            acknowledged: 0,
            synced: 0,
            unsynced_bytes: 0,
            group_sync: GroupSync::new(config.sync, config.unsynced_bytes_max / 2),
            fatal: false,
            config,
            sequencer,
            metrics,
            ledger,
            sealed_bytes: 0,
        }
    }

    /// Whether there is memory for one more batch of any size.
    #[must_use]
    pub const fn has_room(&self) -> bool {
        let lent = self.pool.lent_bytes();
        lent == 0 || lent + self.config.batch_bytes_max <= self.config.unsynced_bytes_max
    }

    /// Whether one more batch of any size can be dealt, as far as the drive has room.
    #[must_use]
    pub fn may_be_dealt(&self) -> bool {
        self.ledger.admits(self.config.frame_bytes_max() as u64)
    }

    /// Takes a batch of `records` records of these indexes, which are `bytes` bytes in `pieces`. It is durable, or acknowledged, when
    /// [`Self::acknowledged`] exceeds the number returned.
    pub fn stage<'p>(
        &mut self,
        records: u32,
        indexes: FrameIndexes,
        bytes: usize,
        pieces: impl Iterator<Item = &'p [u8]>,
    ) -> u64 {
        let block = self.config.append.block_bytes();
        let frame_bytes = (FRAME_HEADER_BYTES + bytes).next_multiple_of(block) as u64;
        self.ledger.take(usize::from(self.config.shard.0), frame_bytes);
        self.stage.append(&mut self.pool, records, indexes, bytes, pieces)
    }

    /// Batches in frames with a number below this may be answered. Moves in [`Self::turn`].
    #[must_use]
    pub const fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// A segment made ready ahead of time.
    ///
    /// # Panics
    /// If its file is too short: whoever prepares them knows [`WriterConfig::ready_file_bytes_min`].
    pub fn ready_segment(&mut self, segment: ReadySegment) {
        let least = self.config.ready_file_bytes_min();
        assert!(
            segment.file_bytes >= least,
            "ready segment of {} bytes, at least {least} are needed",
            segment.file_bytes
        );
        self.asked = self.asked.saturating_sub(1);
        self.ready.push_back(segment);
    }

    /// Whether nothing is staged, under way or unsealed.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.stage.is_empty() && self.segments.is_empty() && self.in_flight.is_empty()
    }

    /// Whether nothing is staged (all of it has a place in a segment).
    #[must_use]
    pub fn nothing_staged(&self) -> bool {
        self.stage.is_empty()
    }

    /// Gives up the ready segments that were not used.
    pub fn release_ready(&mut self, outbox: &mut Outbox) {
        outbox.ops.extend(self.ready.drain(..).map(|ready| Op::ReleaseFile { file: ready.file }));
    }

    /// Moves everything on that can be: frames, segments, syncs, watermarks.
    pub fn turn(&mut self, now: Now, outbox: &mut Outbox) {
        if self.fatal {
            return;
        }
        self.tell_needed();
        self.rescue_failed(now, outbox);
        self.follow_epochs(now, outbox);
        self.dispatch(now, outbox);
        self.advance_segments(now, outbox);
        self.begin_syncs(now, outbox);
        self.ask_for_ready(outbox);
        self.move_watermarks(now);
        self.publish();
    }

    /// Says what is received, and what of it is sealed, for all of it is to be dealt.
    fn publish(&self) {
        let segments = self.segments.iter().map(|segment| segment.end() - FRAMES_OFFSET);
        let unsealed = segments.sum::<u64>() + self.stage.bytes() as u64;
        let shard = usize::from(self.config.shard.0);
        self.ledger.publish(shard, self.sealed_bytes + unsealed, self.sealed_bytes);
    }

    /// When [`Self::turn`] has something to do though nothing happened.
    #[must_use]
    pub fn deadline(&self) -> Option<MonoNanos> {
        let syncs = self
            .segments
            .iter()
            .filter(|segment| Self::may_sync(segment))
            .filter_map(Segment::oldest_unsynced);
        let sync = syncs.map(|oldest| self.group_sync.begins_at(oldest)).min();
        let epoch = self.open().map(|open| self.old_at(open));
        sync.into_iter().chain(epoch).min()
    }

    /// Tells the sequencer which closed epochs this stream may still ask for: before positions are reserved, so that none
    /// of theirs is forgotten.
    fn tell_needed(&mut self) {
        let reserved = self.reserved.map(|reserved| reserved.first.epoch());
        let segments = self.segments.iter().map(|segment| segment.header.epoch);
        let oldest = segments.chain(reserved).min().unwrap_or_else(|| self.sequencer.next().epoch());
        if self.needs_from != Some(oldest) {
            self.needs_from = Some(oldest);
            self.sequencer.needs_from(self.config.shard, oldest);
        }
    }

    fn open(&self) -> Option<&Segment> {
        self.segments.back().filter(|segment| segment.phase == Phase::Open)
    }

    fn segment_mut(&mut self, id: u64) -> &mut Segment {
        self.segments.iter_mut().find(|segment| segment.id == id).expect("a segment outlives its operations")
    }

    fn ask_for_ready(&mut self, outbox: &mut Outbox) {
        let missing = self.config.ready_target.saturating_sub(self.ready.len() + self.asked);
        if missing > 0 {
            self.asked += missing;
            outbox.events.push_back(ShardEvent::NeedReady { missing });
        }
        self.metrics.ready_segments.set(self.ready.len() as u64);
    }
}

#[cfg(test)]
mod tests;
