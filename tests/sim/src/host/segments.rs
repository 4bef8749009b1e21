//! The simulated shards, as the keeper of their segments reaches them.

use std::rc::Rc;

use logtank_engine::error::{DiskError, Verb};
use logtank_engine::format::Salt;
use logtank_engine::host::{Cause, NoSegment, Report, Seen, ShardPort};
use logtank_engine::io::{FileSlot, ShardEvent};
use logtank_engine::metrics::ShardMetrics;
use logtank_engine::raw_log::{ReadyFile, ReadySegment};

use super::life::{Host, Mail};
use super::witness::Witness;
use crate::run::World;

/// What the keeper of segments reaches.
pub(super) struct Segments {
    pub(super) world: Rc<World>,
    pub(super) host: Rc<Host>,
    pub(super) witness: Witness,
}

impl ShardPort for Segments {
    fn shards(&self) -> usize {
        self.host.ports.len()
    }

    fn metrics(&self, shard: usize) -> &ShardMetrics {
        &self.host.ports[shard].metrics
    }

    fn heard(&mut self) -> Option<(usize, ShardEvent)> {
        let heard = self.host.from_shards.borrow_mut().pop_front();
        if let Some((_, event)) = &heard {
            self.witness.heard(event);
        }
        heard
    }

    async fn hear(&mut self) -> Option<(usize, ShardEvent)> {
        loop {
            if let Some(heard) = self.heard() {
                return Some(heard);
            }
            self.host.shard_events.notified().await;
        }
    }

    fn give(&self, shard: usize, ready: &ReadyFile) -> Result<(), DiskError> {
        let opened = self.world.disk.open_ring(&ready.path);
        let file = opened.map_err(|source| DiskError::new(Verb::Open, &ready.path, source))?;
        let slot = FileSlot(u32::try_from(ready.number).expect("few files"));
        let salt = Salt(self.world.salts.next());
        let segment = ReadySegment { ready: ready.number, file: slot, file_bytes: ready.bytes, salt };
        self.host.ports[shard].post(Mail::Ready(segment, file));
        self.witness.given(shard);
        Ok(())
    }

    fn ask_back(&self, shard: usize) {
        self.host.ports[shard].post(Mail::GiveBack);
    }

    fn answer(&self, shard: usize) {
        self.host.answer(shard);
    }

    fn room(&self, seen: &Seen) {
        self.host.set_against(&self.world, Cause::Room, !seen.open);
    }

    fn segments(&self, missing: Option<NoSegment<'_>>) {
        self.host.set_against(&self.world, Cause::Segments, missing.is_some());
    }

    fn report(&mut self, report: Report<'_>) {
        let trace = self.world.executor.trace();
        match report {
            Report::Stocked => {
                self.witness.stocked();
                self.host.open.set(true);
            }
            Report::LastRoom => {
                self.witness.last_room();
                trace.count("segments of the last room");
                self.host.urgent.set(self.host.urgent.get() + 1);
            }
            Report::Failing(_) => {
                self.witness.refused();
                trace.count("segments that can't be made");
            }
            Report::Rewriting { .. } => self.witness.rewriting(),
            Report::Unnamed(_) => trace.count("segments that can't be named yet"),
            Report::NotRemoved(_) => trace.count("failed segments that stay"),
            Report::Kept(_) => trace.count("segments that can't be given up"),
            Report::Prepared { .. }
            | Report::Given { .. }
            | Report::Sealed { .. }
            | Report::EpochClosed { .. } => {}
        }
    }
}
