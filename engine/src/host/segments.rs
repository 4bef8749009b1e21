//! Keeps raw segments ready for the shards, and gives those in use their names.

use std::sync::Arc;
use std::time::Duration;

use futures_lite::future::or;

use super::names::{Names, Retry};
use super::port::{NoSegment, Report, Seen, ShardPort};
use super::raw_room::{Indexes, RawRoom};
use super::shortage::{Shortage, Verdict, is_for_want_of_descriptors};
use crate::error::{Error, Result};
use crate::format::names::RawName;
use crate::ids::ShardId;
use crate::io::disk::{Disk, Space, Transfer};
use crate::io::op::ShardEvent;
use crate::jobs::dealer::Dealer;
use crate::jobs::shared::Shared;
use crate::limits::Limits;
use crate::mutant::bug;
use crate::raw_log::files::prepare::Preparer;
use crate::raw_log::read::live::ReadyFile;
use crate::raw_log::recover::Recovered;
use crate::store::Store;
use crate::time::{Clock, MonoNanos};

/// Between two looks at the room on the drive, if nobody asks.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Why segments are kept no longer: the host can't go on.
#[derive(Debug, thiserror::Error)]
pub enum Unkept {
    /// A segment in use can't be named.
    #[error("naming the raw segment {name}")]
    Unnamed {
        /// The name that it was to have.
        name: RawName,
        /// What failed.
        source: Error,
    },
    /// Batches in memory have nowhere to go.
    #[error("the raw log's drive failed, and no fresh segment can be made for the batches in memory")]
    Exhausted {
        /// What failed last.
        source: Error,
    },
}

/// What is to be done next.
#[derive(Debug)]
enum Todo {
    /// The room is to be looked at.
    Look,
    /// This file in use is to be named.
    Name(u64, RawName),
    /// A shard has said something.
    Heed(usize, ShardEvent),
    /// A segment is to be made for this shard.
    Stock(usize),
    /// Nothing any more.
    Done,
}

/// What came of a shard's wish for a segment.
enum Handed {
    Over,
    /// One more would take of the room that is kept free.
    NoRoom,
}

/// The one who makes segments and names them, for as long as shards run.
#[derive(Debug)]
pub struct Keeper<D, C, P> {
    store: Store<D>,
    clock: C,
    port: P,
    shared: Arc<Shared>,
    preparer: Preparer<D>,
    room: RawRoom,
    shortage: Shortage,
    names: Names,
    look_at: MonoNanos,
    running: usize,
    stocked: bool,
}

impl<D: Disk, C: Clock, P: ShardPort> Keeper<D, C, P> {
    /// Takes over the segments that recovery left. From here on what waits to be dealt is promised its room.
    ///
    /// # Errors
    /// The disk's.
    pub async fn open(
        store: Store<D>,
        clock: C,
        port: P,
        limits: &Limits,
        recovered: &Recovered,
        (indexes, shared): (Indexes, Arc<Shared>),
    ) -> Result<Self> {
        let preparer = Preparer::open(store.clone(), limits, recovered).await?;
        // Nothing of what waits is in the ledger yet, and segments are made beside what dealing it takes.
        let mut dealer = Dealer::new(store.clone(), limits, Transfer::Cached);
        dealer.look().await?;
        shared.ledger.saw(0, dealer.lag().sealed_needed_bytes, 0);
        let running = port.shards();
        let room = RawRoom::new(limits, running, indexes, shared.ledger.clone());
        let look_at = clock.now().mono;
        Ok(Self {
            store,
            clock,
            port,
            shared,
            preparer,
            room,
            shortage: Shortage::default(),
            names: Names::default(),
            look_at,
            running,
            stocked: false,
        })
    }

    /// Runs until every shard is done, or gone.
    ///
    /// # Errors
    /// Why it can't.
    pub async fn run(mut self) -> Result<(), Unkept> {
        if let Err(error) = self.preparer.give_up(self.running).await {
            self.port.report(Report::Kept(&error));
        }
        loop {
            match self.next().await {
                Todo::Look => {
                    self.look_at = self.now() + LOOK_EVERY;
                    self.look().await;
                    // The last that was made was of the last room, so nobody knew whether there is one for others; now none needs it.
                    if self.room.all_have_one() {
                        self.has_segments();
                    }
                    if let Some(rich) = self.room.ask_for_besides() {
                        self.port.ask_back(rich);
                    }
                }
                Todo::Name(ready, name) => self.name(ready, name).await?,
                Todo::Heed(shard, event) => self.heed(shard, event).await,
                Todo::Stock(shard) => self.stock(shard).await?,
                Todo::Done => return Ok(()),
            }
        }
    }

    /// Names first: whoever looks at the folder then sees at once what a file is.
    async fn next(&mut self) -> Todo {
        loop {
            let now = self.now();
            if self.running == 0 && self.names.are_given() {
                return Todo::Done;
            }
            if now >= self.look_at {
                return Todo::Look;
            }
            if let Some((ready, name)) = self.names.due(now) {
                return Todo::Name(ready, name);
            }
            if let Some((shard, event)) = self.port.heard() {
                return Todo::Heed(shard, event);
            }
            let wanting = self.room.next_of(self.shortage.neediest());
            if let Some(shard) = wanting
                && self.shortage.again_at().is_none_or(|at| now >= at)
            {
                return Todo::Stock(shard);
            }
            let again_at = wanting.and(self.shortage.again_at());
            let until =
                [again_at, self.names.again_at()].into_iter().flatten().fold(self.look_at, MonoNanos::min);
            let (port, clock) = (&mut self.port, &self.clock);
            let heard = or(async { Some(port.hear().await) }, async {
                clock.sleep(until.since(now)).await;
                None
            });
            match heard.await {
                Some(Some((shard, event))) => return Todo::Heed(shard, event),
                Some(None) => return Todo::Done,
                None => {}
            }
        }
    }

    fn now(&self) -> MonoNanos {
        self.clock.now().mono
    }

    /// Looks at the drive's room: whether batches are taken, and how many.
    async fn look(&mut self) {
        match self.preparer.room().await {
            Ok(free) => self.see(free),
            // Reported by whoever shows the room.
            Err(_) => self.room.blind(),
        }
    }

    /// Missing segments speak against batches no more.
    fn has_segments(&self) {
        if !bug!(RefusedForGood) {
            self.port.segments(None);
        }
    }

    fn see(&mut self, free: Space) {
        let open = self.room.look(&free);
        self.port.room(&Seen { open, free, bytes_min: self.room.bytes_min(&free) });
    }

    async fn name(&mut self, ready: u64, name: RawName) -> Result<(), Unkept> {
        let Err(source) = self.preparer.claimed(ready, name).await else {
            self.names.named();
            return Ok(());
        };
        match self.names.failed(&source, self.clock.now().mono) {
            Retry::Later { first } => {
                if first {
                    self.port.report(Report::Unnamed(&source));
                }
                Ok(())
            }
            Retry::Never => Err(Unkept::Unnamed { name, source }),
        }
    }

    async fn heed(&mut self, shard: usize, event: ShardEvent) {
        self.shortage.heed(shard, &event);
        let id = ShardId(u16::try_from(shard).expect("there are few shards"));
        match event {
            ShardEvent::NeedReady { missing } => self.room.wants(shard, missing),
            ShardEvent::GaveBack { ready, file_bytes } => {
                let path = self.store.layout().live(RawName::Ready(ready));
                self.preparer.put_back(ReadyFile { number: ready, path, bytes: file_bytes });
                // Nobody lacks it: it was asked for because of its room.
                if self.room.all_have_one()
                    && let Err(error) = self.preparer.give_up(0).await
                {
                    self.port.report(Report::Kept(&error));
                }
                self.shortage.helped();
            }
            ShardEvent::NeedRoom => {
                self.look().await;
                self.port.answer(shard);
            }
            ShardEvent::Done | ShardEvent::Fatal { .. } => self.running -= 1,
            ShardEvent::Claimed { ready, epoch, part } => {
                self.names.claimed(ready, RawName::Segment { epoch, shard: id, part });
            }
            ShardEvent::Sealed { epoch, part, .. } => {
                self.port.report(Report::Sealed { shard: id, epoch, part });
                self.shared.wake_dealer();
            }
            ShardEvent::Abandoned { ready, epoch, part } => {
                self.names.abandoned(ready);
                self.remove([RawName::Ready(ready), RawName::Segment { epoch, shard: id, part }]).await;
            }
            ShardEvent::Rewriting { what } => self.port.report(Report::Rewriting { shard: id, what: &what }),
            ShardEvent::EpochClosed { now_open } => {
                self.port.report(Report::EpochClosed { shard: id, now_open })
            }
        }
    }

    /// Removes a file that failed, whichever of its names it has.
    async fn remove(&mut self, names: [RawName; 2]) {
        for name in names {
            if let Err(error) = self.store.remove(&self.store.layout().live(name)).await {
                self.port.report(Report::NotRemoved(&error));
            }
        }
    }

    async fn stock(&mut self, shard: usize) -> Result<(), Unkept> {
        let handed = self.hand_over(shard).await;
        let all = self.room.all_served() || !matches!(handed, Ok(Handed::Over)) || bug!(StockedEarly);
        let now = self.now();
        let shards = (0..self.port.shards()).map(|shard| self.port.metrics(shard));
        match handed {
            Ok(Handed::Over) => {
                self.port.report(Report::Given { all_write: self.shortage.all_write() });
                if self.shortage.ends() {
                    self.has_segments();
                }
            }
            Ok(Handed::NoRoom) => {
                self.shortage.without_room(shards, now);
                match self.room.ask_back(shard) {
                    // It is here as soon as the other one reads its mail.
                    Some(rich) => self.port.ask_back(rich),
                    None => self.deny(shard, NoSegment::Room),
                }
            }
            Err(source) => match self.shortage.failed(&source, shards, now) {
                Verdict::GiveUp => return Err(Unkept::Exhausted { source }),
                Verdict::Wait => {
                    self.port.report(Report::Failing(&source));
                    // Descriptors come back soon, and what waits for one is answered then.
                    if !is_for_want_of_descriptors(&source) {
                        self.deny(shard, NoSegment::Failed(&source));
                    }
                }
            },
        }
        // Batches are refused by now, where one has none.
        if all && !std::mem::replace(&mut self.stocked, true) {
            self.room.serve_all();
            self.port.report(Report::Stocked);
        }
        Ok(())
    }

    /// A shard gets no segment; batches are refused unless it has one at hand.
    fn deny(&self, shard: usize, why: NoSegment<'_>) {
        if !self.room.has_one(shard) && self.room.is_open() {
            self.port.segments(Some(why));
        }
    }

    /// Makes one segment ready, or takes one that is, and gives it to a shard. One that appends and has none at hand is
    /// not kept waiting for blocks to be written.
    async fn hand_over(&mut self, shard: usize) -> Result<Handed> {
        if self.preparer.ready() == 0 {
            if self.shortage.is_urgent() {
                self.port.report(Report::LastRoom);
            } else if !self.has_room(shard).await? {
                return Ok(Handed::NoRoom);
            }
            self.room.begins(&self.preparer.room().await?);
            let appends = self.room.was_served(shard);
            let began = self.now();
            let metrics = self.port.metrics(shard);
            let outcome = self.preparer.prepare_one(|| appends && metrics.ready_segments.get() == 0).await;
            let took = self.now().since(began);
            self.port.report(Report::Prepared { made: outcome.is_ok(), took });
            self.look().await;
            outcome?;
        }
        let ready = self.preparer.take().expect("one is ready");
        if let Err(error) = self.port.give(shard, &ready) {
            self.preparer.put_back(ready);
            return Err(error.into());
        }
        self.room.gave(shard);
        self.look().await;
        Ok(Handed::Over)
    }

    /// Whether there is room for one more segment, if need be when what is there only to save time has been given up.
    async fn has_room(&mut self, shard: usize) -> Result<bool> {
        if self.admits(shard).await? {
            return Ok(true);
        }
        if self.preparer.give_up(0).await? == 0 {
            return Ok(false);
        }
        self.admits(shard).await
    }

    async fn admits(&mut self, shard: usize) -> Result<bool> {
        let free = self.preparer.room().await?;
        self.see(free);
        Ok(self.room.admits(shard, &free))
    }
}

#[cfg(test)]
mod tests;
