//! A shard and its peers: any bytes, in any portions, with pauses and vanishing peers.

use std::sync::Arc;
use std::time::Duration;

use logtank_engine::format::raw::Salt;
use logtank_engine::ids::{Epoch, ShardId};
use logtank_engine::io::op::{Completion, ConnectionId, FileSlot, Op, ShardEvent};
use logtank_engine::limits::Limits;
use logtank_engine::metrics::ShardMetrics;
use logtank_engine::raw_log::segment::ReadySegment;
use logtank_engine::sequencer::Sequencer;
use logtank_engine::shard::{Shard, ShardConfig};
use logtank_engine::time::{MonoNanos, Now, WallMillis};
use logtank_wire::inbound::{Inbound, InboundLimits};

const PEERS: usize = 4;

struct World {
    shard: Shard,
    now: Now,
    peers: [Option<ConnectionId>; PEERS],
    replies: Vec<(ConnectionId, Vec<u8>)>,
    next_ready: u64,
    file_bytes: u64,
    done: bool,
}

impl World {
    fn new() -> Self {
        let limits = Limits {
            message_bytes_max: 4096,
            record_bytes_max: 2048,
            unsynced_bytes_max: 64 * 1024,
            in_flight_bytes_max: 16 * 1024,
            connections_max: PEERS,
            ..Limits::default()
        };
        let config = ShardConfig::new(ShardId(0), limits);
        let file_bytes = config.writer.ready_file_bytes_min();
        let sequencer = Arc::new(Sequencer::new(Epoch::new(1_000).expect("small")));
        Self {
            shard: Shard::new(config, sequencer, Arc::<ShardMetrics>::default()),
            now: Now { wall: WallMillis(2_000), mono: MonoNanos(1_000_000_000) },
            peers: [None; PEERS],
            replies: Vec::new(),
            next_ready: 0,
            file_bytes,
            done: false,
        }
    }

    /// Turns until nothing is left to do; the drive and the peers do at once what they are asked.
    fn settle(&mut self) {
        for _ in 0..100_000 {
            self.shard.turn(self.now);
            let ops: Vec<_> = self.shard.outbox().ops.drain(..).collect();
            let events: Vec<_> = self.shard.outbox().events.drain(..).collect();
            if ops.is_empty() && events.is_empty() {
                return;
            }
            for event in events {
                self.hear(event);
            }
            for op in ops {
                self.carry_out(op);
            }
        }
        panic!("the shard never comes to rest");
    }

    fn hear(&mut self, event: ShardEvent) {
        match event {
            ShardEvent::NeedReady { missing } => {
                for _ in 0..missing {
                    let ready = self.next_ready;
                    self.next_ready += 1;
                    let file = FileSlot(u32::try_from(ready).expect("few"));
                    let salt = Salt(ready + 1);
                    self.shard.ready_segment(ReadySegment { ready, file, file_bytes: self.file_bytes, salt });
                }
            }
            ShardEvent::Fatal { what } | ShardEvent::Rewriting { what } => panic!("the drive is well: {what}"),
            ShardEvent::Done => self.done = true,
            ShardEvent::Claimed { .. }
            | ShardEvent::Sealed { .. }
            | ShardEvent::Abandoned { .. }
            | ShardEvent::EpochClosed { .. } => {}
        }
    }

    fn carry_out(&mut self, op: Op) {
        let completion = match op {
            Op::Write { token, buffer, from, .. } => {
                let result = Ok(buffer.len() - from);
                Completion::Written { token, buffer, result }
            }
            Op::Sync { token, .. } => Completion::Synced { token, result: Ok(()) },
            Op::Send { connection, bytes } => {
                self.replies.push((connection, bytes.clone()));
                Completion::Sent { connection, bytes, result: Ok(()) }
            }
            Op::Close { connection } => {
                self.peers.iter_mut().filter(|peer| **peer == Some(connection)).for_each(|peer| *peer = None);
                Completion::Closed { connection }
            }
            Op::WriteOut { .. }
            | Op::ReleaseFile { .. }
            | Op::PauseReceive { .. }
            | Op::ResumeReceive { .. }
            | Op::ShutdownSend { .. } => return,
        };
        self.shard.complete(completion, self.now);
    }

    fn send(&mut self, peer: usize, mut bytes: &[u8]) {
        let Some(id) = self.peers[peer].or_else(|| self.shard.accept(self.now)) else { return };
        self.peers[peer] = Some(id);
        // What is not taken now is offered again after a turn, as the ring does.
        for _ in 0..64 {
            self.shard.receive(id, &mut bytes, self.now);
            self.settle();
            if bytes.is_empty() {
                return;
            }
        }
        assert!(self.peers[peer] != Some(id), "the drive keeps up, yet the shard takes nothing");
    }
}

/// A script of steps, each a byte: what to do, and to whom; then, for bytes to send, a length and so many bytes. In the end
/// the shard can still be shut down, and every reply is a whole message.
pub(crate) fn connection(data: &[u8]) {
    let mut world = World::new();
    world.settle();
    let mut rest = data;
    while let Some((&step, after)) = rest.split_first() {
        rest = after;
        let peer = usize::from(step) % PEERS;
        match step >> 2 & 7 {
            0 => {
                if let Some(id) = world.peers[peer].take() {
                    world.shard.peer_finished(id, world.now);
                }
            }
            1 => {
                let longer = Duration::from_secs(u64::from(step >> 5) * 10 + 1);
                world.now.mono = world.now.mono + longer;
            }
            2 => world.shard.appends_allowed(step >> 5 & 1 == 0),
            3 => world.shard.seal(world.now),
            _ => {
                let Some((&length, after)) = rest.split_first() else { break };
                let (bytes, after) = after.split_at((usize::from(length) * 4).min(after.len()));
                rest = after;
                world.send(peer, bytes);
            }
        }
        world.settle();
    }
    world.shard.shut_down(world.now);
    for _ in 0..4 {
        world.settle();
        // Whoever does not close after its last reply is closed when patience ends.
        world.now.mono = world.now.mono + Duration::from_secs(60);
    }
    assert!(world.done, "it does not shut down");
    for (_, bytes) in &world.replies {
        let limits = InboundLimits { message_bytes_max: 1 << 20, depth_max: 16 };
        let (mut inbound, mut input) = (Inbound::new(limits), bytes.as_slice());
        while inbound.next(&mut input).expect("a reply is well formed").is_some() {}
        assert_eq!(inbound.pending_bytes(), 0, "a reply is cut off");
    }
}
