//! Shards, their drive, their peers, and an oracle that looks on.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use logtank_wire::client::{request, response};
use logtank_wire::inbound::{Inbound, InboundLimits};
use logtank_wire::message::Dialect;
use logtank_wire::record::RecordWriter;

use super::files::{Files, Outcome};
use crate::format::raw::Salt;
use crate::ids::{Epoch, Position, ShardId};
use crate::io::op::{Completion, ConnectionId, FileSlot, Op, ShardEvent};
use crate::limits::Limits;
use crate::metrics::ShardMetrics;
use crate::raw_log::write::config::{AppendMode, SyncMode};
use crate::raw_log::write::segment::ReadySegment;
use crate::room::ledger::Ledger;
use crate::sequencer::Sequencer;
use crate::shard::{Kernel, Received, Shard, ShardConfig, drive};
use crate::time::{MonoNanos, Now, WallMillis};

pub(super) const DIALECT: Dialect = Dialect { strict: true, framed: false };

/// A peer: what it has sent, and what came back.
pub(super) struct Peer {
    pub(super) shard: usize,
    pub(super) id: ConnectionId,
    inbound: Inbound,
    /// Sent, not offered to the shard yet.
    unreceived: VecDeque<u8>,
    sequence: i32,
    /// Docids of each batch that is not answered yet, by its sequence number.
    unanswered: VecDeque<(i32, Vec<String>)>,
    /// Replies being sent: not seen by the peer before it takes them.
    pub(super) sending: Option<Vec<u8>>,
    pub(super) paused: bool,
    pub(super) closed: bool,
    pub(super) send_shut: bool,
    pub(super) errors: Vec<String>,
    pub(super) acknowledged: Vec<String>,
}

pub(super) struct World {
    pub(super) shards: Vec<Shard>,
    pub(super) metrics: Vec<Arc<ShardMetrics>>,
    pub(super) disk: Vec<Files>,
    pub(super) peers: Vec<Peer>,
    pub(super) now: Now,
    pub(super) events: Vec<(usize, ShardEvent)>,
    pub(super) fatal: bool,
    pub(super) sync: SyncMode,
    /// Segments that shards asked for and did not get yet.
    pub(super) wanted: Vec<usize>,
    ready: BTreeMap<u64, (usize, FileSlot)>,
    abandoned: BTreeSet<(usize, FileSlot)>,
    file_bytes: u64,
    /// Whether each reply is checked against the drive.
    pub(super) look_on: bool,
    pub(super) ledger: Arc<Ledger>,
}

impl World {
    pub(super) fn new(
        shards: usize,
        sync: SyncMode,
        append: AppendMode,
        adjust: impl Fn(&mut ShardConfig),
    ) -> Self {
        let sequencer = Arc::new(Sequencer::new(Epoch::new(1_000).unwrap()));
        let limits = Limits {
            message_bytes_max: 4096,
            record_bytes_max: 2048,
            unsynced_bytes_max: 256 * 1024,
            in_flight_bytes_max: 64 * 1024,
            connections_max: 64,
            ..Limits::default()
        };
        let metrics: Vec<Arc<ShardMetrics>> = (0..shards).map(|_| Arc::default()).collect();
        let ledger = Arc::<Ledger>::default();
        let mut file_bytes = 0;
        let start = |shard: usize| {
            let mut config = ShardConfig::new(ShardId(u16::try_from(shard).unwrap()), limits.clone());
            config.writer.sync = sync;
            config.writer.append = append;
            config.writer.segment_roll_bytes = 32 * 1024;
            adjust(&mut config);
            file_bytes = config.writer.ready_file_bytes_min();
            Shard::new(config, sequencer.clone(), metrics[shard].clone(), ledger.clone())
        };
        let all = (0..shards).map(start).collect();
        Self {
            shards: all,
            metrics: metrics.clone(),
            disk: (0..shards).map(|_| Files::default()).collect(),
            peers: Vec::new(),
            now: Now { wall: WallMillis(2_000), mono: MonoNanos(1_000_000_000) },
            events: Vec::new(),
            fatal: false,
            sync,
            wanted: vec![0; shards],
            ready: BTreeMap::new(),
            abandoned: BTreeSet::new(),
            file_bytes,
            look_on: true,
            ledger,
        }
    }

    pub(super) fn advance(&mut self, by: Duration) {
        self.now.mono = self.now.mono + by;
        self.now.wall.0 += u64::try_from(by.as_millis()).unwrap();
    }

    pub(super) fn connect(&mut self, shard: usize) -> usize {
        self.connect_from(1, shard).expect("few peers")
    }

    /// A connection from one of the addresses of a test, if it is taken.
    pub(super) fn connect_from(&mut self, address: u8, shard: usize) -> Option<usize> {
        let address = Ipv4Addr::new(10, 0, 0, address).into();
        let id = self.shards[shard].accept(address, self.now)?;
        let inbound = Inbound::new(InboundLimits { message_bytes_max: 1 << 20, depth_max: 16 });
        self.peers.push(Peer {
            shard,
            id,
            inbound,
            unreceived: VecDeque::new(),
            sequence: 0,
            unanswered: VecDeque::new(),
            sending: None,
            paused: false,
            closed: false,
            send_shut: false,
            errors: Vec::new(),
            acknowledged: Vec::new(),
        });
        Some(self.peers.len() - 1)
    }

    /// A peer sends a batch of so many records, of about so many bytes each.
    pub(super) fn post(&mut self, peer: usize, records: usize, text_bytes: usize) {
        let sequence = self.peers[peer].sequence + 1;
        let docids: Vec<_> = (0..records).map(|record| format!("{peer}.{sequence}.{record}")).collect();
        let encoded: Vec<_> = docids.iter().map(|docid| encode(docid, text_bytes)).collect();
        self.post_records(peer, docids, &encoded);
    }

    pub(super) fn post_records(&mut self, peer: usize, docids: Vec<String>, records: &[Vec<u8>]) {
        let peer = &mut self.peers[peer];
        peer.sequence += 1;
        let mut bytes = Vec::new();
        request::send_batch(&mut bytes, DIALECT, peer.sequence, records.iter().map(Vec::as_slice));
        peer.unreceived.extend(bytes);
        peer.unanswered.push_back((peer.sequence, docids));
    }

    pub(super) fn post_bytes(&mut self, peer: usize, bytes: &[u8]) {
        self.peers[peer].unreceived.extend(bytes);
    }

    /// The kernel delivers up to so many bytes of what a peer sent.
    pub(super) fn deliver(&mut self, peer: usize, bytes_max: usize) -> Received {
        let peer = &mut self.peers[peer];
        if peer.paused || peer.closed {
            return Received::All;
        }
        let bytes: Vec<u8> = peer.unreceived.iter().copied().take(bytes_max).collect();
        let mut rest = &bytes[..];
        let received = self.shards[peer.shard].receive(peer.id, &mut rest, self.now);
        assert!(received == Received::Stalled || rest.is_empty());
        peer.unreceived.drain(..bytes.len() - rest.len());
        received
    }

    /// Gives a shard one of the segments that it asked for.
    pub(super) fn make_ready(&mut self, shard: usize) {
        if self.wanted[shard] == 0 {
            return;
        }
        self.wanted[shard] -= 1;
        let file = self.disk[shard].create(self.file_bytes);
        let ready = self.ready.len() as u64;
        self.ready.insert(ready, (shard, file));
        self.shards[shard].ready_segment(ReadySegment {
            ready,
            file,
            file_bytes: self.file_bytes,
            salt: Salt(ready * 77 + 5),
        });
    }

    /// Ends a turn of a shard; operations wait to be completed.
    pub(super) fn turn(&mut self, shard: usize) {
        let now = self.now;
        let Ok(()) = drive(&mut Ring { world: self, shard }, now);
        while let Some(event) = self.shards[shard].outbox().events.pop_front() {
            match &event {
                ShardEvent::NeedReady { missing } => self.wanted[shard] += missing,
                ShardEvent::Abandoned { ready, .. } => {
                    self.abandoned.insert(self.ready[ready]);
                }
                ShardEvent::Fatal { .. } => self.fatal = true,
                ShardEvent::Claimed { .. }
                | ShardEvent::GaveBack { .. }
                | ShardEvent::NeedRoom
                | ShardEvent::Sealed { .. }
                | ShardEvent::EpochClosed { .. }
                | ShardEvent::Rewriting { .. }
                | ShardEvent::Done => {}
            }
            self.events.push((shard, event));
        }
    }

    fn peer(&mut self, shard: usize, id: ConnectionId) -> &mut Peer {
        self.peers
            .iter_mut()
            .find(|peer| peer.shard == shard && peer.id == id)
            .expect("operations name connections")
    }

    /// A drive operation ends.
    pub(super) fn complete(&mut self, shard: usize, place: usize, outcome: Outcome) {
        let completion = self.disk[shard].complete(place, outcome);
        self.shards[shard].complete(completion, self.now);
    }

    /// A peer takes the replies being sent to it, and the oracle looks whether they are true.
    pub(super) fn take_replies(&mut self, peer: usize) {
        let now = self.now;
        let Peer { shard, id, sending, .. } = &mut self.peers[peer];
        let (shard, id) = (*shard, *id);
        let Some(bytes) = sending.take() else { return };
        let mut input = &bytes[..];
        loop {
            let Peer { inbound, unanswered, errors, .. } = &mut self.peers[peer];
            let Some(message) = inbound.next(&mut input).unwrap() else { break };
            let answered = unanswered.pop_front();
            match (response::void(&message), answered) {
                (Ok(()), Some((sequence, docids))) => {
                    assert_eq!(message.sequence, sequence, "replies in order, each once");
                    self.check_kept(shard, &docids);
                    self.peers[peer].acknowledged.extend(docids);
                }
                (Err(error), answered) => {
                    // An exception may also be about bytes that are no call of ours.
                    if let Some((sequence, _)) =
                        answered.filter(|(sequence, _)| *sequence != message.sequence)
                    {
                        panic!("reply to {} instead of {sequence}", message.sequence);
                    }
                    errors.push(error.to_string());
                }
                (Ok(()), None) => panic!("a reply to nothing"),
            }
        }
        self.shards[shard].complete(Completion::Sent { connection: id, bytes, result: Ok(()) }, now);
    }

    /// What was ever acknowledged would be found, were the process killed now (in always mode: the power cut).
    pub(super) fn check_all_kept(&self) {
        for shard in 0..self.shards.len() {
            let peers = self.peers.iter().filter(|peer| peer.shard == shard);
            let docids: Vec<String> = peers.flat_map(|peer| peer.acknowledged.iter().cloned()).collect();
            self.check_kept(shard, &docids);
        }
    }

    /// What is acknowledged is where the mode promises it.
    fn check_kept(&self, shard: usize, docids: &[String]) {
        if !self.look_on || docids.is_empty() {
            return;
        }
        let durable = self.sync == SyncMode::Always;
        // The server has removed what was abandoned.
        let mut segments = self.disk[shard].segments(durable);
        segments.retain(|segment| !self.abandoned.contains(&(shard, segment.slot)));
        let kept: BTreeSet<&String> =
            segments.iter().flat_map(|segment| &segment.records).map(|(_, docid)| docid).collect();
        for docid in docids {
            assert!(
                kept.contains(docid),
                "{docid} was acknowledged but is not {}",
                if durable { "durable" } else { "written" }
            );
        }
    }

    /// The drive does what it is asked; peers get their replies.
    pub(super) fn settle_disk(&mut self) {
        for shard in 0..self.shards.len() {
            self.turn(shard);
            while self.disk[shard].pending() > 0 {
                self.complete(shard, 0, Outcome::Success);
                self.turn(shard);
            }
        }
        for peer in 0..self.peers.len() {
            self.take_replies(peer);
        }
    }

    /// Everything that is under way ends well, until nothing is left to do.
    pub(super) fn settle(&mut self) {
        for _ in 0..10_000 {
            let mut busy = false;
            for shard in 0..self.shards.len() {
                while self.wanted[shard] > 0 {
                    self.make_ready(shard);
                }
                while self.disk[shard].pending() > 0 {
                    self.complete(shard, 0, Outcome::Success);
                    busy = true;
                }
                let events = self.events.len();
                self.turn(shard);
                busy |= self.disk[shard].pending() > 0 || self.events.len() > events;
            }
            for peer in 0..self.peers.len() {
                busy |= self.peers[peer].sending.is_some();
                self.take_replies(peer);
                let waits = !self.peers[peer].unreceived.is_empty()
                    && !self.peers[peer].paused
                    && !self.peers[peer].closed;
                if waits {
                    self.deliver(peer, usize::MAX);
                    busy = true;
                }
            }
            if !busy || self.fatal {
                return;
            }
            self.advance(Duration::from_millis(1));
        }
        panic!("the shards do not come to rest");
    }

    /// Shuts all shards down and checks what is left.
    pub(super) fn finish(&mut self) {
        self.settle();
        if self.fatal {
            return;
        }
        for shard in &mut self.shards {
            shard.shut_down(self.now);
        }
        self.settle();
        let done = self.events.iter().filter(|(_, event)| *event == ShardEvent::Done).count();
        assert_eq!(done, self.shards.len(), "each shard is done: {:?}", self.events);
        self.check_log();
    }

    /// Everything acknowledged is in sealed segments, once, in order, with dense positions, and survives a power cut.
    pub(super) fn check_log(&self) {
        let mut records: Vec<(Position, String)> = Vec::new();
        let mut promised: BTreeMap<Epoch, u32> = BTreeMap::new();
        for (shard, disk) in self.disk.iter().enumerate() {
            for segment in disk.segments(true) {
                if self.abandoned.contains(&(shard, segment.slot)) {
                    continue;
                }
                let seal = segment.seal.expect("each segment is sealed in the end");
                promised.insert(segment.header.epoch, seal.epoch_records.expect("known"));
                records.extend(segment.records);
            }
        }
        records.sort();
        for (epoch, count) in promised {
            let ordinals: Vec<u32> =
                records.iter().filter(|(p, _)| p.epoch() == epoch).map(|(p, _)| p.ordinal()).collect();
            assert_eq!(ordinals, (0..count).collect::<Vec<_>>(), "positions of epoch {epoch}");
        }
        let places: BTreeMap<&String, usize> =
            records.iter().enumerate().map(|(place, (_, docid))| (docid, place)).collect();
        assert_eq!(places.len(), records.len(), "each record once");
        for peer in &self.peers {
            let places: Vec<_> = peer.acknowledged.iter().map(|docid| places[docid]).collect();
            assert!(places.is_sorted(), "one connection's batches keep their order");
            assert!(peer.unanswered.is_empty() || peer.closed, "every call is answered");
        }
    }

    pub(super) fn count_events(&self, wanted: impl Fn(&ShardEvent) -> bool) -> usize {
        self.events.iter().filter(|(_, event)| wanted(event)).count()
    }
}

/// One shard's part of the world.
struct Ring<'w> {
    world: &'w mut World,
    shard: usize,
}

impl Kernel for Ring<'_> {
    type Error = Infallible;

    fn shard(&mut self) -> &mut Shard {
        &mut self.world.shards[self.shard]
    }

    fn now(&mut self) -> Now {
        self.world.now
    }

    fn begin(&mut self, op: Op) -> Result<(), Infallible> {
        let Self { ref mut world, shard } = *self;
        match op {
            Op::Send { connection, bytes } => world.peer(shard, connection).sending = Some(bytes),
            Op::PauseReceive { connection } => world.peer(shard, connection).paused = true,
            Op::ResumeReceive { connection } => world.peer(shard, connection).paused = false,
            Op::ShutdownSend { connection } => world.peer(shard, connection).send_shut = true,
            Op::Close { connection } => {
                let now = world.now;
                let peer = world.peer(shard, connection);
                peer.closed = true;
                let cut = peer.sending.take();
                if let Some(bytes) = cut {
                    let result = Err(std::io::ErrorKind::BrokenPipe.into());
                    world.shards[shard].complete(Completion::Sent { connection, bytes, result }, now);
                }
                world.shards[shard].complete(Completion::Closed { connection }, now);
            }
            Op::WriteOut { .. } => {}
            Op::Write { .. } | Op::Sync { .. } | Op::ReleaseFile { .. } => world.disk[shard].begin(op),
        }
        Ok(())
    }
}

pub(super) fn encode(docid: &str, text_bytes: usize) -> Vec<u8> {
    let (mut bytes, text) = (Vec::new(), vec![b'x'; text_bytes]);
    let mut writer = RecordWriter::begin(&mut bytes);
    writer.index_code(b"test");
    writer.docid(docid.as_bytes());
    writer.fields([(&b"text"[..], &text[..])].into_iter());
    writer.finish();
    bytes
}
