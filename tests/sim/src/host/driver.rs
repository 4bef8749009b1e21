//! The loop that drives one shard.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::sync::Arc;

use futures_lite::future::or;
use logtank_engine::format::{FRAME_HEADER_BYTES, FRAMES_OFFSET, FrameHeader};
use logtank_engine::ids::ShardId;
use logtank_engine::io::{Completion, ConnectionId, FileSlot, Op, ShardEvent, Write};
use logtank_engine::sequencer::Sequencer;
use logtank_engine::shard;
use logtank_engine::shard::{Received, Shard, ShardConfig};
use logtank_engine::time::{Clock as _, Now};
use logtank_wire::record::RecordView;

use super::life::{Exit, Host, Mail, Port};
use super::net::Link;
use super::ring::{Late, UnderWay, What};
use crate::disk::{RingFile, SimDisk};
use crate::mutants::Tamper;
use crate::oracle::BatchId;
use crate::random::Random;
use crate::run::World;

/// An fdatasync that takes longer may begin too late to keep the interval by the clock.
pub(super) const SYNC_USUAL_NANOS: u64 = 4_000_000;

/// Whose connections all are: who has most is tested elsewhere.
const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

pub(super) struct Driver {
    world: Rc<World>,
    host: Rc<Host>,
    number: usize,
    shard: Shard,
    sequencer: Arc<Sequencer>,
    files: BTreeMap<FileSlot, RingFile>,
    links: BTreeMap<(u32, u32), Link>,
    /// Links whose bytes the shard would not take, oldest first: they go before anything newer.
    held: VecDeque<ConnectionId>,
    shut_down: bool,
    /// What the shard was told last.
    takes_batches: bool,
    random: Random,
}

const fn key(id: ConnectionId) -> (u32, u32) {
    (id.slot, id.generation)
}

impl Driver {
    pub(super) fn new(world: Rc<World>, host: Rc<Host>, number: usize, sequencer: Arc<Sequencer>) -> Self {
        let plan = &world.plan;
        let id = ShardId(u16::try_from(number).expect("few shards"));
        let mut config = ShardConfig::new(id, plan.limits.clone());
        config.writer.sync = plan.sync;
        config.writer.append = plan.append;
        config.writer.epoch_max_age = plan.epoch_max_age;
        config.writer.write_out_bytes = 8_192;
        let metrics = host.ports[number].metrics.clone();
        let random = Random::new(plan.seed ^ world.salts.next(), "driver");
        Self {
            shard: Shard::new(config, sequencer.clone(), metrics, host.shared.ledger.clone()),
            sequencer,
            files: BTreeMap::new(),
            links: BTreeMap::new(),
            held: VecDeque::new(),
            shut_down: false,
            takes_batches: true,
            random,
            number,
            host,
            world,
        }
    }

    fn port(&self) -> &Port {
        &self.host.ports[self.number]
    }

    fn now(&self) -> Now {
        self.world.clock.now()
    }

    pub(super) async fn run(mut self) {
        loop {
            self.take_mail();
            self.complete_due();
            self.receive();
            if self.shut_down && self.held.is_empty() {
                let now = self.now();
                self.shard.shut_down(now);
            }
            let now = self.now();
            let Ok(()) = shard::drive(&mut self, now);
            self.note_handed_out();
            self.check_bounds();
            if self.tell_events() {
                return;
            }
            self.wait().await;
        }
    }

    async fn wait(&self) {
        let arrivals = self.links.values().filter_map(|link| {
            let state = link.state();
            let expects = !state.paused && (state.client_gone || !state.requests.is_empty());
            expects.then_some(state.arrives_at)
        });
        let arrivals = arrivals.filter(|_| self.held.is_empty() || self.shard.may_receive());
        let deadline = self.shard.deadline().map(|at| at.0);
        let until = arrivals.chain(deadline).chain(self.port().ring.next_due()).min();
        let until = self.world.executor.sleep_until(until.unwrap_or(u64::MAX));
        or(until, self.port().woken()).await;
    }

    fn take_mail(&mut self) {
        let now = self.now();
        while let Some(mail) = self.host.ports[self.number].take_mail() {
            match mail {
                Mail::Connection(link) => match self.shard.accept(ADDRESS, now) {
                    Some(id) => drop(self.links.insert(key(id), link)),
                    None => link.breaks(),
                },
                Mail::Ready(segment, file) => {
                    self.files.insert(segment.file, file);
                    self.shard.ready_segment(segment);
                }
                Mail::GiveBack => self.shard.give_back(),
                Mail::Seal => self.shard.seal(now),
                Mail::AppendsAllowed(allowed) => {
                    self.takes_batches = allowed;
                    self.shard.appends_allowed(allowed);
                }
                Mail::Shutdown => self.shut_down = true,
            }
        }
    }

    fn complete_due(&mut self) {
        let now = self.now();
        while let Some(UnderWay { begun, what, .. }) = self.host.ports[self.number].ring.take_due(now.mono.0)
        {
            let disk = &self.world.disk;
            let completion = match what {
                What::Write { token, file, offset, buffer, from, durable, result } => {
                    let written = || write(disk, file, offset, &buffer[from..], durable);
                    let result = result.unwrap_or_else(written);
                    self.note_failure(&result, buffer.len() - from, durable);
                    Completion::Written { token, buffer, result }
                }
                What::Sync { token, file, covers } => {
                    let result = disk.ring_sync_ends(file, covers);
                    if result.is_err() {
                        self.world.oracle.borrow_mut().sync_failed();
                    }
                    if now.mono.0 - begun > SYNC_USUAL_NANOS {
                        self.world.oracle.borrow_mut().drive_slow();
                    }
                    Completion::Synced { token, result }
                }
                What::Late(Late::Write { file, offset, bytes }) => {
                    drop(disk.ring_write(file, offset, &bytes));
                    continue;
                }
                What::Late(Late::Sync { file, covers }) => {
                    drop(disk.ring_sync_ends(file, covers));
                    continue;
                }
                What::Send { connection, bytes } => {
                    let link = self.links.get(&key(connection));
                    let gone = link.is_none_or(|link| link.state().client_gone);
                    if let Some(link) = link.filter(|_| !gone) {
                        link.replies(&bytes);
                    }
                    let result = if gone { Err(std::io::ErrorKind::BrokenPipe.into()) } else { Ok(()) };
                    Completion::Sent { connection, bytes, result }
                }
            };
            self.shard.complete(completion, now);
        }
    }

    /// Tells the oracle of a write that did not take all that it was given.
    fn note_failure(&self, result: &std::io::Result<usize>, given: usize, durable: bool) {
        let mut oracle = self.world.oracle.borrow_mut();
        match result {
            Err(_) if durable => oracle.sync_failed(),
            Ok(taken) if *taken >= given => {}
            _ => oracle.write_failed(),
        }
    }

    /// Offers what arrived; what was refused before goes first.
    fn receive(&mut self) {
        let now = self.now();
        let held: Vec<ConnectionId> = self.held.drain(..).collect();
        let mut ids = held.clone();
        let others =
            self.links.keys().map(|(slot, generation)| ConnectionId { slot: *slot, generation: *generation });
        ids.extend(others.filter(|id| !held.contains(id)));
        for id in ids {
            let Some(link) = self.links.get(&key(id)).cloned() else { continue };
            let (portion, finished) = {
                let mut state = link.state();
                if state.arrives_at > now.mono.0 || state.paused {
                    continue;
                }
                let all = state.requests.len();
                let portion = if self.random.percent(60) { all } else { self.random.place(all) + 1 };
                state.arrives_at = now.mono.0 + self.random.between(1, 300) * 1_000;
                let portion: Vec<u8> = state.requests.iter().copied().take(portion).collect();
                (portion, state.client_gone && state.requests.is_empty())
            };
            if !portion.is_empty() {
                if !self.held.is_empty() {
                    self.hold(id);
                    continue;
                }
                let mut rest = &portion[..];
                // It gives way to another one: what its client had under way is read by nobody any more.
                let closes = |op: &Op| matches!(op, Op::Close { connection } if *connection == id);
                let is_read = !link.state().server_gone && !self.shard.outbox().ops.iter().any(closes);
                let received = self.shard.receive(id, &mut rest, now);
                link.state().taken(portion.len() - rest.len(), |attempt| {
                    // A refusal is for nobody to hear where the client has not waited for it.
                    if self.takes_batches && is_read {
                        self.world.oracle.borrow_mut().arrives(attempt);
                    }
                });
                match received {
                    Received::All => assert!(rest.is_empty(), "all was taken"),
                    Received::Stalled => self.hold(id),
                }
            } else if finished && !link.state().server_gone {
                self.shard.peer_finished(id, now);
                // Said once; the shard closes when it has answered what it owes.
                link.state().arrives_at = u64::MAX;
            }
        }
    }

    /// The shard takes nothing now: this is offered again as soon as it does.
    fn hold(&mut self, id: ConnectionId) {
        self.links[&key(id)].state().arrives_at = 0;
        self.held.push_back(id);
    }

    /// What the shards were handed out so far.
    fn note_handed_out(&self) {
        self.world.oracle.borrow_mut().handed_out(self.sequencer.next());
    }

    /// Looks which batches are in a frame.
    fn tap(&self, offset: u64, bytes: &[u8]) {
        if offset < FRAMES_OFFSET {
            return;
        }
        let Some(header) = bytes.first_chunk::<FRAME_HEADER_BYTES>() else { return };
        let Ok(header) = FrameHeader::decode(header, u64::MAX) else { return };
        self.world.oracle.borrow_mut().handed_out(header.first.advanced(header.records));
        let mut payload = &bytes[FRAME_HEADER_BYTES..FRAME_HEADER_BYTES + header.payload_bytes as usize];
        for place in 0..header.records {
            let Ok((record, len)) = RecordView::parse(payload) else { return };
            let number = record.docid.and_then(|docid| docid.strip_prefix(b"m"));
            let number = number.and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
            if let Some(number) = number {
                let position = header.first.advanced(place);
                self.world.executor.trace().note("placed", &position.to_string(), number as u64);
                self.world.oracle.borrow_mut().placed(BatchId(number), position);
            }
            payload = &payload[len..];
        }
    }

    fn check_bounds(&self) {
        let (metrics, limits) = (&self.port().metrics, &self.world.plan.limits);
        let memory = metrics.staged_bytes.get() + metrics.unsynced_bytes.get();
        assert!(
            memory <= limits.unsynced_bytes_max as u64 + 2 * limits.message_bytes_max as u64,
            "{memory} bytes of batches in memory"
        );
        let in_flight = metrics.in_flight_bytes.get();
        assert!(
            in_flight <= 2 * limits.in_flight_bytes_max as u64,
            "{in_flight} bytes of messages in memory"
        );
    }

    /// Tells others; whether the shard is gone.
    fn tell_events(&mut self) -> bool {
        while let Some(event) = self.shard.outbox().events.pop_front() {
            let trace = self.world.executor.trace();
            trace.note("event", &format!("{event:?}"), self.number as u64);
            let gone = matches!(event, ShardEvent::Done | ShardEvent::Fatal { .. });
            match &event {
                ShardEvent::EpochClosed { .. } => {
                    trace.count("epochs closed");
                    self.host.ports.iter().for_each(Port::wake);
                }
                ShardEvent::Fatal { what } => {
                    trace.count("fatal");
                    self.host.ends(&self.world, Exit::Failed(what.clone()));
                }
                ShardEvent::Rewriting { .. } => trace.count("rewritings"),
                ShardEvent::Abandoned { .. } => {
                    trace.count("segments abandoned");
                    let abandoned = &self.world.disk.faults().abandoned;
                    abandoned.set(abandoned.get() + 1);
                }
                ShardEvent::Sealed { .. } => trace.count("segments sealed"),
                ShardEvent::NeedRoom => trace.count("questions for room"),
                ShardEvent::GaveBack { .. } => trace.count("segments given back"),
                ShardEvent::NeedReady { .. } | ShardEvent::Claimed { .. } | ShardEvent::Done => {}
            }
            self.host.from_shards.borrow_mut().push_back((self.number, event));
            self.host.shard_events.notify_one();
            if gone {
                return true;
            }
        }
        false
    }
}

impl shard::Kernel for Driver {
    type Error = Infallible;

    fn shard(&mut self) -> &mut Shard {
        &mut self.shard
    }

    fn now(&mut self) -> Now {
        Self::now(self)
    }

    fn begin(&mut self, op: Op) -> Result<(), Infallible> {
        self.note_handed_out();
        let now = Self::now(self);
        let disk = self.world.disk.clone();
        let begins = |due: u64, what: What| {
            self.host.ports[self.number].ring.0.borrow_mut().push(UnderWay { due, begun: now.mono.0, what });
        };
        match op {
            Op::Write { token, write: Write { file, offset, buffer, from }, durable } => {
                self.tap(offset, &buffer);
                let file = self.files[&file];
                if disk.tampering().is(Tamper::WriteNotAwaited) {
                    let bytes = buffer[from..].to_vec();
                    let result = Ok(bytes.len());
                    begins(
                        disk.ring_ends(self.number, false),
                        What::Late(Late::Write { file, offset, bytes }),
                    );
                    self.shard.complete(Completion::Written { token, buffer, result }, now);
                    return Ok(());
                }
                if self.world.plan.inline_writes {
                    let result = write(&disk, file, offset, &buffer[from..], durable);
                    self.note_failure(&result, buffer.len() - from, durable);
                    self.shard.complete(Completion::Written { token, buffer, result }, now);
                    return Ok(());
                }
                let early = !durable && self.random.percent(50);
                let result = early.then(|| disk.ring_write(file, offset, &buffer[from..]));
                begins(
                    disk.ring_ends(self.number, durable),
                    What::Write { token, file, offset, buffer, from, durable, result },
                )
            }
            Op::Sync { token, file } => {
                let covers = disk.ring_sync_begins();
                if disk.tampering().is(Tamper::SyncNotAwaited) {
                    let late = Late::Sync { file: self.files[&file], covers };
                    begins(disk.ring_ends(self.number, true), What::Late(late));
                    self.shard.complete(Completion::Synced { token, result: Ok(()) }, now);
                    return Ok(());
                }
                begins(
                    disk.ring_ends(self.number, true),
                    What::Sync { token, file: self.files[&file], covers },
                )
            }
            Op::WriteOut { .. } => {}
            Op::ReleaseFile { file } => {
                self.files.remove(&file);
            }
            Op::Send { connection, bytes } => {
                let due = now.mono.0 + self.random.between(1, 500) * 1_000;
                begins(due, What::Send { connection, bytes })
            }
            Op::PauseReceive { connection } => {
                self.links[&key(connection)].state().paused = true;
            }
            Op::ResumeReceive { connection } => {
                self.links[&key(connection)].state().paused = false;
            }
            Op::ShutdownSend { .. } => {}
            Op::Close { connection } => {
                let link = self.links.remove(&key(connection)).expect("operations name connections");
                let sending = {
                    let mut ring = self.host.ports[self.number].ring.0.borrow_mut();
                    let of = |operation: &UnderWay| matches!(&operation.what, What::Send { connection: other, .. } if *other == connection);
                    let place = ring.iter().position(of);
                    place.map(|place| ring.remove(place))
                };
                if let Some(UnderWay { what: What::Send { connection, bytes }, .. }) = sending {
                    let result = Err(std::io::ErrorKind::BrokenPipe.into());
                    self.shard.complete(Completion::Sent { connection, bytes, result }, now);
                }
                self.held.retain(|held| *held != connection);
                link.breaks();
                self.shard.complete(Completion::Closed { connection }, now);
            }
        }
        Ok(())
    }
}

fn write(disk: &SimDisk, file: RingFile, offset: u64, bytes: &[u8], durable: bool) -> std::io::Result<usize> {
    if durable { disk.ring_write_durable(file, offset, bytes) } else { disk.ring_write(file, offset, bytes) }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.links.values().for_each(Link::breaks);
        while let Some(mail) = self.host.ports[self.number].take_mail() {
            if let Mail::Connection(link) = mail {
                link.breaks();
            }
        }
    }
}
