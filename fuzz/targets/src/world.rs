//! A shard with its peers and its drive, as the fuzzer's script moves them.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use logtank_engine::format::Salt;
use logtank_engine::ids::{Epoch, ShardId};
use logtank_engine::io::{Completion, ConnectionId, FileSlot, Op, ShardEvent, Write};
use logtank_engine::limits::Limits;
use logtank_engine::metrics::ShardMetrics;
use logtank_engine::raw_log::{AppendMode, ReadySegment, SyncMode};
use logtank_engine::sequencer::Sequencer;
use logtank_engine::shard;
use logtank_engine::shard::{Received, Shard, ShardConfig};
use logtank_engine::time::{MonoNanos, Now, WallMillis};
use logtank_wire::inbound::InboundLimits;

use crate::ledger::Ledger;
use crate::secured_peer::SecuredPeer;

/// Peers, one more than may be connected.
pub(crate) const PEERS: usize = 4;
const CONNECTIONS_MAX: usize = PEERS - 1;
const MESSAGE_BYTES_MAX: usize = 4096;
const IN_FLIGHT_BYTES_MAX: usize = 16 * 1024;
const REPLY_BYTES_MAX: usize = 2048;
const WAITERS_MAX: usize = 64;
/// The longest reply: a name of 256 bytes and why it was refused.
const REPLY_BYTES: usize = 1024;
/// Deepest nesting that a shard takes.
const DEPTH_MAX: usize = 32;

/// A connection as its peer and the ring see it.
#[derive(Debug)]
struct Link {
    ledger: Ledger,
    /// Sent by the peer, not yet taken.
    backlog: Vec<u8>,
    paused: bool,
    /// Takes no replies.
    deaf: bool,
    /// A send under way that a deaf peer does not take.
    sending: Option<Vec<u8>>,
    /// Its encryption; `backlog` is ciphertext then.
    secured: Option<Box<SecuredPeer>>,
    /// The shard knows that its encryption has ended: nothing can be answered any more.
    ended: bool,
    /// The peer sends nothing more, and what was decrypted before that is not taken yet.
    finishes: bool,
}

impl Link {
    /// Whether nothing is left to be offered.
    fn has_nothing(&self) -> bool {
        self.backlog.is_empty() && self.secured.as_ref().is_none_or(|secured| secured.plain().is_empty())
    }
}

pub(crate) struct World {
    shard: Shard,
    metrics: Arc<ShardMetrics>,
    now: Now,
    peers: [Option<ConnectionId>; PEERS],
    links: BTreeMap<ConnectionId, Link>,
    /// What the drive owes while it stands still.
    held: Vec<Completion>,
    drive_stands: bool,
    /// Connections are encrypted.
    secured: bool,
    newer: bool,
    next_ready: u64,
    file_bytes: u64,
    /// Connections cut off so far: shed, or late.
    cut_off: u64,
    pub(crate) done: bool,
}

impl World {
    pub(crate) fn new(settings: u8) -> Self {
        let limits = Limits {
            message_bytes_max: MESSAGE_BYTES_MAX,
            record_bytes_max: 2048,
            unsynced_bytes_max: 64 * 1024,
            in_flight_bytes_max: IN_FLIGHT_BYTES_MAX,
            connections_max: CONNECTIONS_MAX,
            segment_roll_bytes: 16 * 1024,
            ..Limits::default()
        };
        let mut config = ShardConfig::new(ShardId(0), limits);
        config.reply_bytes_max = REPLY_BYTES_MAX;
        config.waiters_max = WAITERS_MAX;
        config.idle_timeout = (settings & 4 != 0).then_some(Duration::from_secs(60));
        if settings & 1 != 0 {
            config.writer.sync = SyncMode::Always;
        }
        if settings & 2 != 0 {
            config.writer.append = AppendMode::Direct;
        }
        let file_bytes = config.writer.ready_file_bytes_min();
        let sequencer = Arc::new(Sequencer::new(Epoch::new(1_000).expect("small")));
        let metrics = Arc::<ShardMetrics>::default();
        Self {
            shard: Shard::new(config, sequencer, metrics.clone(), Arc::default()),
            metrics,
            now: Now { wall: WallMillis(2_000), mono: MonoNanos(1_000_000_000) },
            peers: [None; PEERS],
            links: BTreeMap::new(),
            held: Vec::new(),
            drive_stands: false,
            secured: settings & 8 != 0,
            newer: settings & 16 != 0,
            next_ready: 0,
            file_bytes,
            cut_off: 0,
            done: false,
        }
    }

    /// Bytes from a peer, who connects first where it must.
    pub(crate) fn send(&mut self, peer: usize, bytes: &[u8]) {
        let Some(id) = self.peers[peer].or_else(|| self.connect(peer)) else { return };
        let link = self.links.get_mut(&id).expect("a peer's connection is there");
        // What is not taken stays in the kernel, which does not take everything either.
        if link.backlog.len() < 2 * MESSAGE_BYTES_MAX {
            match &mut link.secured {
                None => link.backlog.extend_from_slice(bytes),
                Some(secured) => link.backlog.extend(secured.encrypt(bytes)),
            }
        }
        self.settle();
    }

    /// Bytes from a peer beside its encryption.
    pub(crate) fn send_raw(&mut self, peer: usize, bytes: &[u8]) {
        let Some(id) = self.peers[peer].or_else(|| self.connect(peer)) else { return };
        let link = self.links.get_mut(&id).expect("a peer's connection is there");
        if link.backlog.len() < 2 * MESSAGE_BYTES_MAX {
            link.backlog.extend_from_slice(bytes);
        }
        self.settle();
    }

    fn connect(&mut self, peer: usize) -> Option<ConnectionId> {
        // By two addresses, of which one has more.
        let address = Ipv4Addr::new(127, 0, 0, u8::from(peer % 3 == 0));
        let id = self.shard.accept(address.into(), self.now);
        assert!(id.is_some() || self.links.len() >= CONNECTIONS_MAX, "as many connections as are allowed");
        let limits = InboundLimits { message_bytes_max: MESSAGE_BYTES_MAX, depth_max: DEPTH_MAX };
        let link = Link {
            ledger: Ledger::new(limits),
            backlog: Vec::new(),
            paused: false,
            deaf: false,
            sending: None,
            secured: self.secured.then(|| SecuredPeer::new(self.newer)),
            ended: false,
            finishes: false,
        };
        self.links.insert(id?, link);
        if self.secured {
            self.shard.begun(id?, self.now);
        }
        self.peers[peer] = id;
        id
    }

    /// The peer sends nothing more.
    pub(crate) fn finish(&mut self, peer: usize) {
        let Some(id) = self.peers[peer].take() else { return };
        // The ring tells the end behind the bytes before it.
        let link = self.links.get_mut(&id).expect("a peer's connection is there");
        link.backlog.clear();
        if link.has_nothing() {
            self.shard.peer_finished(id, self.now);
        } else {
            link.finishes = true;
        }
        self.settle();
    }

    /// The peer stops taking replies, or begins again.
    pub(crate) fn turn_deaf(&mut self, peer: usize) {
        let Some(id) = self.peers[peer] else { return };
        let link = self.links.get_mut(&id).expect("a peer's connection is there");
        link.deaf = !link.deaf;
        if let Some(bytes) = link.sending.take() {
            self.shard.complete(Completion::Sent { connection: id, bytes, result: Ok(()) }, self.now);
        }
        self.settle();
    }

    /// The drive stands still, or goes on.
    pub(crate) fn stop_drive(&mut self, stop: bool) {
        self.drive_stands = stop;
        if !stop {
            for completion in std::mem::take(&mut self.held) {
                self.shard.complete(completion, self.now);
            }
        }
        self.settle();
    }

    pub(crate) fn pass(&mut self, seconds: u64) {
        self.now.mono = self.now.mono + Duration::from_secs(seconds);
        self.settle();
    }

    /// The wall clock steps, back or ahead.
    pub(crate) fn step_clock(&mut self, back: bool) {
        let millis = self.now.wall.0;
        self.now.wall = WallMillis(if back { millis / 2 } else { millis.saturating_mul(3) });
        self.settle();
    }

    pub(crate) fn allow_appends(&mut self, allowed: bool) {
        self.shard.appends_allowed(allowed);
        self.settle();
    }

    pub(crate) fn seal(&mut self) {
        self.shard.seal(self.now);
        self.settle();
    }

    pub(crate) fn shut_down(&mut self) {
        self.stop_drive(false);
        self.shard.shut_down(self.now);
        self.settle();
    }

    /// Nobody is connected, and nothing is kept of anybody.
    pub(crate) fn is_empty(&self) -> bool {
        self.links.is_empty()
            && self.metrics.connections.get() == 0
            && self.metrics.in_flight_bytes.get() == 0
    }

    /// Turns until nothing is left to do; what must hold then is looked at.
    fn settle(&mut self) {
        for _ in 0..100_000 {
            let now = self.now;
            let Ok(()) = shard::drive(self, now);
            let events: Vec<_> = self.shard.outbox().events.drain(..).collect();
            let at_rest = events.is_empty();
            events.into_iter().for_each(|event| self.hear(event));
            if !self.offer() && at_rest {
                return self.look();
            }
        }
        panic!("the shard never comes to rest");
    }

    /// Offers what the peers have sent; whether anything was taken.
    fn offer(&mut self) -> bool {
        let mut taken = false;
        for (&id, link) in &mut self.links {
            if link.has_nothing() || link.paused || !self.shard.may_receive() {
                continue;
            }
            if link.secured.is_some() {
                taken |= offer_secured(&mut self.shard, id, link, self.now);
                continue;
            }
            let mut rest = link.backlog.as_slice();
            self.shard.receive(id, &mut rest, self.now);
            let count = link.backlog.len() - rest.len();
            link.ledger.received(&link.backlog[..count]);
            link.backlog.drain(..count);
            taken |= count > 0;
        }
        taken
    }

    fn look(&mut self) {
        let most = IN_FLIGHT_BYTES_MAX + WAITERS_MAX * REPLY_BYTES;
        assert!(self.metrics.in_flight_bytes.get() <= most as u64, "more memory than is allowed");
        for link in self.links.values().filter(|link| link.has_nothing() && link.sending.is_none()) {
            assert!(self.drive_stands || link.ended || link.ledger.is_settled(), "a call is not answered");
        }
        let stuck = |link: &Link| !link.has_nothing() && !link.paused;
        assert!(
            self.drive_stands || !self.links.values().any(stuck),
            "the drive keeps up, yet nothing is taken"
        );
        self.cut_off = self.cut_off();
    }

    fn cut_off(&self) -> u64 {
        self.metrics.connections_shed.get() + self.metrics.connections_timed_out.get()
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
            ShardEvent::Fatal { what } | ShardEvent::Rewriting { what } => {
                panic!("the drive is well: {what}")
            }
            ShardEvent::Done => self.done = true,
            ShardEvent::GaveBack { .. }
            | ShardEvent::NeedRoom
            | ShardEvent::Claimed { .. }
            | ShardEvent::Sealed { .. }
            | ShardEvent::Abandoned { .. }
            | ShardEvent::EpochClosed { .. } => {}
        }
    }

    fn link(&mut self, id: ConnectionId) -> &mut Link {
        self.links.get_mut(&id).expect("it is connected")
    }

    fn drive(&mut self, completion: Completion) {
        if self.drive_stands {
            self.held.push(completion);
        } else {
            self.shard.complete(completion, self.now);
        }
    }

    fn close(&mut self, connection: ConnectionId) {
        let link = self.links.remove(&connection).expect("closed twice");
        if let Some(bytes) = link.sending {
            let result = Err(std::io::ErrorKind::ConnectionReset.into());
            self.shard.complete(Completion::Sent { connection, bytes, result }, self.now);
        } else if self.cut_off() == self.cut_off && !link.ended {
            assert!(link.ledger.is_settled(), "closed before it was answered");
        }
        self.peers.iter_mut().filter(|peer| **peer == Some(connection)).for_each(|peer| *peer = None);
        self.shard.complete(Completion::Closed { connection }, self.now);
    }
}

impl shard::Kernel for World {
    type Error = Infallible;

    fn shard(&mut self) -> &mut Shard {
        &mut self.shard
    }

    fn now(&mut self) -> Now {
        self.now
    }

    fn begin(&mut self, op: Op) -> Result<(), Infallible> {
        match op {
            Op::Write { token, write: Write { buffer, from, .. }, .. } => {
                let result = Ok(buffer.len() - from);
                self.drive(Completion::Written { token, buffer, result });
            }
            Op::Sync { token, .. } => self.drive(Completion::Synced { token, result: Ok(()) }),
            Op::Send { connection, bytes } => {
                let link = self.links.get_mut(&connection).expect("sent to nobody");
                assert!(link.sending.is_none(), "two sends at once");
                if let Some(secured) = &mut link.secured {
                    if !secured.send(&bytes) {
                        assert!(link.ended, "only to whom it has refused a session sends nothing");
                        let result = Err(std::io::ErrorKind::ConnectionAborted.into());
                        self.shard.complete(Completion::Sent { connection, bytes, result }, self.now);
                        return Ok(());
                    }
                    exchange(link);
                } else {
                    link.ledger.replied(&bytes);
                }
                if link.deaf {
                    link.sending = Some(bytes);
                } else {
                    self.shard.complete(Completion::Sent { connection, bytes, result: Ok(()) }, self.now);
                }
            }
            Op::Close { connection } => self.close(connection),
            Op::PauseReceive { connection } => self.link(connection).paused = true,
            Op::ResumeReceive { connection } => self.link(connection).paused = false,
            Op::WriteOut { .. } | Op::ReleaseFile { .. } | Op::ShutdownSend { .. } => {}
        }
        Ok(())
    }
}

/// Offers what an encrypted peer has sent, as the ring does; whether anything was taken.
fn offer_secured(shard: &mut Shard, id: ConnectionId, link: &mut Link, now: Now) -> bool {
    let cipher = std::mem::take(&mut link.backlog);
    let mut rest = cipher.as_slice();
    let secured = link.secured.as_mut().expect("the caller saw it");
    let mut taken = false;
    loop {
        let mut plain = secured.plain();
        if !plain.is_empty() {
            let offered = plain.to_vec();
            let received = shard.receive(id, &mut plain, now);
            let count = offered.len() - plain.len();
            link.ledger.received(&offered[..count]);
            secured.consume(count);
            taken |= count > 0;
            if received == Received::Stalled {
                break;
            }
        } else if rest.is_empty() {
            break;
        } else {
            let (before, agreeing) = (rest.len(), secured.awaits_more());
            secured.receive(&mut rest);
            assert!(rest.len() < before, "each call takes something");
            taken = true;
            if secured.plain().is_empty() {
                if secured.awaits_more() {
                    shard.begun(id, now);
                } else if agreeing {
                    shard.receive(id, &mut &[][..], now);
                }
            }
        }
    }
    shard.holds(id, secured.held_bytes(), now);
    link.backlog = rest.to_vec();
    if secured.has_ended() && secured.plain().is_empty() && !link.ended {
        (link.ended, link.finishes) = (true, false);
        shard.peer_finished(id, now);
    } else if link.finishes && secured.plain().is_empty() {
        link.finishes = false;
        shard.peer_finished(id, now);
    }
    exchange(link);
    taken
}

/// What the session has to send goes to the client, and what that one says to it comes behind what it has sent.
fn exchange(link: &mut Link) {
    let Some(secured) = &mut link.secured else { return };
    let (replies, cipher) = secured.deliver();
    link.ledger.replied(&replies);
    link.backlog.extend(cipher);
}
