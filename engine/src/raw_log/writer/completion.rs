//! What comes back from the kernel.

use std::io;

use super::{UnderWay, What, Writer};
use crate::io::buffers::AlignedBuf;
use crate::io::in_flight::Token;
use crate::io::op::{Op, Outbox, ShardEvent};
use crate::raw_log::config::AppendMode;
use crate::raw_log::segment::Phase;
use crate::time::Now;

impl Writer {
    /// A write ended.
    pub fn written(
        &mut self,
        token: Token,
        buffer: AlignedBuf,
        result: io::Result<usize>,
        now: Now,
        outbox: &mut Outbox,
    ) {
        let UnderWay { segment, what, begun } = self.in_flight.end(token);
        self.segment_mut(segment).under_way -= 1;
        match what {
            What::Frame(number) => {
                self.frames_in_flight -= 1;
                let duration = now.mono.since(begun);
                self.metrics.write_latency.record(duration);
                if self.config.writes_are_durable() {
                    self.metrics.syncs.add(1);
                    self.metrics.sync_latency.record(duration);
                }
                self.frame_written(segment, number, buffer, result, now, outbox);
            }
            What::Header | What::Seal => {
                let whole = whole_block(&buffer, result);
                self.pool.give(buffer);
                match (whole, what) {
                    (Err(error), _) => self.failed(segment, "write", &error, outbox),
                    (Ok(()), What::Header) => self.header_written(segment, outbox),
                    (Ok(()), _) => self.begin_seal_sync(segment, now, outbox),
                }
            }
            What::Sync | What::SealSync => unreachable!("a sync's completion is no write's"),
        }
    }

    fn header_written(&mut self, id: u64, outbox: &mut Outbox) {
        let segment = self.segment_mut(id);
        segment.header_written = true;
        if self.config.writes_are_durable() {
            self.claimed(id, outbox);
        }
        self.note_durable_writes(id);
    }

    /// The header is durable, so the file may get its name. Nobody else syncs it for that: an fdatasync tells whoever asks
    /// first that data is lost, and a shard that asks second would believe in it.
    fn claimed(&mut self, id: u64, outbox: &mut Outbox) {
        let segment = self.segment_mut(id);
        if !std::mem::replace(&mut segment.claimed, true) {
            let (ready, epoch, part) = (segment.ready, segment.header.epoch, segment.header.part);
            outbox.events.push_back(ShardEvent::Claimed { ready, epoch, part });
        }
    }

    fn frame_written(
        &mut self,
        id: u64,
        number: u64,
        buffer: AlignedBuf,
        result: io::Result<usize>,
        now: Now,
        outbox: &mut Outbox,
    ) {
        let block = self.config.append.block_bytes();
        let step = self.config.write_out_bytes;
        let buffered = self.config.append == AppendMode::Buffered;
        let segment = self.segment_mut(id);
        let (file, failed) = (segment.file, segment.phase == Phase::Failed);
        let frame = segment.frame_mut(number);
        // A short write goes on at a block's beginning, as direct I/O needs it.
        let done = result.map(|bytes| match frame.done + bytes {
            done if done >= frame.padded_bytes => frame.padded_bytes,
            done => done - done % block,
        });
        match done {
            Ok(done) if done == frame.padded_bytes => {
                frame.written = true;
                frame.written_at.get_or_insert(now.mono);
                frame.buffer = Some(buffer);
                segment.note_written();
                if buffered
                    && !failed
                    && let Some((offset, len)) = segment.write_out(step)
                {
                    outbox.ops.push_back(Op::WriteOut { file, offset, len });
                }
                self.note_durable_writes(id);
            }
            Ok(done) if done > frame.done && !failed => {
                frame.done = done;
                let offset = frame.offset;
                segment.under_way += 1;
                self.frames_in_flight += 1;
                self.begin_write(id, What::Frame(number), file, offset, buffer, done, now, outbox);
            }
            Ok(_) => {
                frame.buffer = Some(buffer);
                self.failed(id, "write", &io::ErrorKind::WriteZero.into(), outbox);
            }
            Err(error) => {
                frame.buffer = Some(buffer);
                self.failed(id, "write", &error, outbox);
            }
        }
    }

    /// An fdatasync ended.
    pub fn synced(&mut self, token: Token, result: io::Result<()>, now: Now, outbox: &mut Outbox) {
        let UnderWay { segment, what, begun } = self.in_flight.end(token);
        self.segment_mut(segment).under_way -= 1;
        let duration = now.mono.since(begun);
        self.metrics.sync_latency.record(duration);
        match (what, result) {
            (What::Sync, Ok(())) => {
                self.metrics.syncs.add(1);
                self.group_sync.measured(duration);
                self.note_synced(segment);
                self.claimed(segment, outbox);
            }
            (What::SealSync, Ok(())) => {
                self.metrics.syncs.add(1);
                self.sealed(segment, outbox);
            }
            (What::Sync | What::SealSync, Err(error)) => {
                self.metrics.sync_errors.add(1);
                self.segment_mut(segment).sync = None;
                self.failed(segment, "fdatasync", &error, outbox);
            }
            (What::Header | What::Frame(_) | What::Seal, _) => {
                unreachable!("a write's completion is no sync's")
            }
        }
    }

    /// An operation on a segment failed: its un-synced frames will be written elsewhere, unless that is the second time.
    fn failed(&mut self, id: u64, verb: &str, error: &io::Error, outbox: &mut Outbox) {
        if verb == "write" {
            self.metrics.write_errors.add(1);
        }
        let segment = self.segment_mut(id);
        let (epoch, part, ready) = (segment.header.epoch, segment.header.part, segment.ready);
        let what = format!("{verb} of raw segment {epoch}, part {part} (ready-{ready}): {error}");
        let mendable = match segment.phase {
            Phase::Open | Phase::Closing => !segment.has_rewritten(),
            Phase::Failed => return,
            Phase::SealWriting | Phase::SealSyncing | Phase::Superseded(_) => false,
        };
        if mendable {
            segment.phase = Phase::Failed;
            outbox.events.push_back(ShardEvent::Rewriting { what });
        } else if !self.fatal {
            self.fatal = true;
            outbox.events.push_back(ShardEvent::Fatal { what });
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
