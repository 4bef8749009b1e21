//! One life of the host, from start to its end.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::error::Error as _;
use std::rc::Rc;
use std::sync::Arc;

use logtank_engine::error::Error;
use logtank_engine::first_start;
use logtank_engine::format::Layout;
use logtank_engine::host::{Against, Cause, Indexes, Keeper};
use logtank_engine::jobs::{Background, Report, Shared};
use logtank_engine::metrics::ShardMetrics;
use logtank_engine::raw_log::{ReadySegment, recover};
use logtank_engine::recovery_read::{ReadOptions, Reader, load_or_create};
use logtank_engine::store::Store;
use logtank_engine::time::Clock as _;
use tokio::sync::Notify;

use super::belonging;
use super::driver::Driver;
use super::driver::SYNC_USUAL_NANOS;
use super::net::Link;
use super::ring::Ring;
use super::segments::Segments;
use super::witness::Witness;
use crate::disk::{RingFile, SimDisk};
use crate::run::World;
use crate::world::{Group, SimClock};

/// What is posted to a shard.
pub enum Mail {
    /// A connection.
    Connection(Link),
    /// A segment made ready.
    Ready(ReadySegment, RingFile),
    /// Give a ready segment back.
    GiveBack,
    /// Close the epoch.
    Seal,
    /// Whether batches are taken.
    AppendsAllowed(bool),
    /// Finish.
    Shutdown,
}

/// A shard, as others reach it.
#[derive(Default)]
pub struct Port {
    mail: RefCell<VecDeque<Mail>>,
    wake: Notify,
    pub(super) ring: Ring,
    pub(super) metrics: Arc<ShardMetrics>,
}

impl Port {
    /// Posts to the shard.
    pub fn post(&self, mail: Mail) {
        self.mail.borrow_mut().push_back(mail);
        self.wake.notify_one();
    }

    /// Something may have arrived.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Whether it has batches and no segment at hand to write them to when the one in use is full.
    #[must_use]
    pub fn waits_for_a_segment(&self) -> bool {
        self.metrics.staged_bytes.get() > 0 && self.metrics.ready_segments.get() == 0
    }

    /// How many frames have got a place in a segment.
    #[must_use]
    pub fn placed(&self) -> u64 {
        self.metrics.frames_placed.get()
    }

    pub(super) fn take_mail(&self) -> Option<Mail> {
        self.mail.borrow_mut().pop_front()
    }

    pub(super) async fn woken(&self) {
        self.wake.notified().await;
    }
}

/// Why a host ended by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It was asked to.
    Done,
    /// It can't go on (or start); the next start may.
    Failed(String),
}

/// A running host, as clients reach it.
pub struct Host {
    /// Its disk.
    pub disk: SimDisk,
    /// Where its files are.
    pub layout: Layout,
    /// What its jobs share.
    pub shared: Arc<Shared>,
    /// Its shards.
    pub ports: Vec<Port>,
    /// Answers `read_page`, once it is started.
    pub reader: RefCell<Option<Rc<Reader<SimDisk, SimClock>>>>,
    /// Whether clients may connect.
    pub open: Cell<bool>,
    /// Why it ended, if it did.
    pub exit: RefCell<Option<Exit>>,
    /// Background work stands still until the next start.
    pub halted: Cell<bool>,
    /// Background work said that something is damaged.
    pub damage_told: Cell<bool>,
    /// The raw log is in order.
    recovered: Cell<bool>,
    /// How often a fault had made a call about the raw log's bytes fail when it was started, and how many were syncs.
    struck_before: (u64, u64),
    pub(super) from_shards: RefCell<VecDeque<(usize, logtank_engine::io::ShardEvent)>>,
    pub(super) shard_events: Notify,
    stopping: Cell<bool>,
    /// How many bytes dealing lacked at most.
    pub dealing_lacked: Cell<u64>,
    /// Segments that were made of the last room there was.
    pub urgent: Cell<u64>,
    against: RefCell<Against<()>>,
}

impl Host {
    /// What it opens.
    #[must_use]
    pub fn store(&self) -> Store<SimDisk> {
        Store::new(self.disk.clone(), self.layout.clone())
    }

    /// Starts a host: everything but what is on the disk is new.
    #[must_use]
    pub fn start(world: &Rc<World>) -> Rc<Self> {
        let host = Rc::new(Self {
            disk: world.disk.clone(),
            layout: world.layout.clone(),
            shared: Arc::new(Shared::new()),
            ports: (0..world.plan.shards).map(|_| Port::default()).collect(),
            reader: RefCell::default(),
            open: Cell::new(false),
            exit: RefCell::default(),
            halted: Cell::new(false),
            damage_told: Cell::new(false),
            recovered: Cell::new(false),
            struck_before: world.disk.struck_raw(),
            from_shards: RefCell::default(),
            shard_events: Notify::new(),
            stopping: Cell::new(false),
            urgent: Cell::new(0),
            dealing_lacked: Cell::new(0),
            against: RefCell::default(),
        });
        world.executor.spawn(Group::Host, {
            let (world, host) = (world.clone(), host.clone());
            async move {
                if let Err(error) = host.clone().run(&world).await {
                    host.ends(&world, Exit::Failed(error.to_string()));
                }
            }
        });
        host
    }

    pub(super) fn ends(&self, world: &World, exit: Exit) {
        world.executor.trace().note("exit", &format!("{exit:?}"), 0);
        self.open.set(false);
        self.exit.borrow_mut().get_or_insert(exit);
    }

    /// Whether batches are taken.
    #[must_use]
    pub fn takes_batches(&self) -> bool {
        self.against.borrow().takes_batches()
    }

    /// Segments that shards have at hand.
    #[must_use]
    pub fn at_hand(&self) -> u64 {
        self.ports.iter().map(|port| port.metrics.ready_segments.get()).sum()
    }

    /// Says to a shard once more whether batches are taken.
    pub(super) fn answer(&self, shard: usize) {
        self.ports[shard].post(Mail::AppendsAllowed(self.takes_batches()));
    }

    /// This speaks against taking batches, or does so no more.
    pub(super) fn set_against(&self, world: &World, cause: Cause, speaks: bool) {
        let changed = self.against.borrow_mut().set(cause, speaks.then_some(()));
        if let Some(now) = changed {
            world.executor.trace().count(if now { "appends allowed" } else { "appends refused" });
            self.ports.iter().for_each(|port| port.post(Mail::AppendsAllowed(now)));
        }
    }

    async fn run(self: Rc<Self>, world: &Rc<World>) -> Result<(), Error> {
        let (store, plan) = (&self.store(), &world.plan);
        if let Err(refusal) = belonging::ensure(world, &self).await? {
            self.ends(world, Exit::Failed(refusal.to_string()));
            return Ok(());
        }
        first_start::prepare(store).await?;
        let key = load_or_create(store, &world.secret()).await?;
        let recovered = recover(store, world.clock.now().wall, &mut |_| {}).await?;
        self.recovered.set(true);
        world.executor.trace().count("recoveries");
        if recovered.report().restored_bytes > 0 {
            world.executor.trace().count("recoveries that restored");
        }
        if !recovered.report().unrestored.is_empty() {
            world.executor.trace().count("recoveries that could not restore");
            world.oracle.borrow_mut().forgets(world.executor.now());
        }
        world.check(world.oracle.borrow_mut().recovered(recovered.report(), world.flipped.get()));
        let witness = Witness::new(world.clone(), self.clone());
        let segments = Segments { world: world.clone(), host: self.clone(), witness: witness.clone() };
        let around = (Indexes::Beside, self.shared.clone());
        let keeper =
            Keeper::open(store.clone(), world.clock.clone(), segments, &plan.limits, &recovered, around)
                .await?;
        let sequencer = Arc::new(recovered.sequencer());
        for shard in 0..plan.shards {
            let driver = Driver::new(world.clone(), self.clone(), shard, sequencer.clone());
            world.executor.spawn(Group::Host, driver.run());
        }
        let options = ReadOptions {
            page_bytes_max: plan.page_bytes_max,
            boot: world.power_cuts.get(),
            ..ReadOptions::default()
        };
        let reader = Reader::new(store.clone(), world.clock.clone(), key, options);
        *self.reader.borrow_mut() = Some(Rc::new(reader));
        world.executor.spawn(Group::Host, self.clone().background(world.clone()));
        match keeper.run().await {
            Ok(()) => {
                witness.done();
                self.ends(world, Exit::Done);
            }
            Err(unkept) => {
                witness.ended(&unkept);
                let source = unkept.source().map(ToString::to_string).unwrap_or_default();
                self.ends(world, Exit::Failed(format!("{unkept}: {source}")));
            }
        }
        Ok(())
    }

    async fn background(self: Rc<Self>, world: Rc<World>) {
        let plan = &world.plan;
        let mut background = Background::new(
            self.store(),
            world.clock.clone(),
            plan.limits.clone(),
            plan.jobs.clone(),
            self.shared.clone(),
        );
        let report = |report: Report| {
            let trace = world.executor.trace();
            let what = match &report {
                Report::Dealt(_) => "epochs dealt",
                Report::Blocked { .. } => "dealing blocked",
                Report::Unblocked => "dealing unblocked",
                Report::Stray(_) => "strays",
                Report::Foreign(_) => "foreign entries",
                Report::Gone { .. } => "segments gone",
                Report::Incomplete { .. } => "incomplete epochs",
                Report::DealingFails { .. } => "times that dealing failed again",
                Report::DealingWorks => "times that dealing worked again",
                Report::Complete => "epochs complete after all",
                Report::NoRoom { .. } => "jobs without room",
                Report::Room => "jobs with room again",
                Report::Sorted { .. } => "sorts",
                Report::Optimized { .. } => "optimizations",
                Report::Cleaned(_) => "cleanings",
                Report::Pruned(_) => "history pruned",
                Report::Damage { .. } => "harmless damage",
                Report::IndexFailed { .. } => "jobs of an index that failed",
                Report::Failed { .. } => "jobs that failed",
                Report::Halted { .. } => "background halted",
            };
            trace.count(what);
            trace.note(what, &format!("{report:?}"), 0);
            if let Report::NoRoom { job: "deal", needed, available } = report {
                let lacked = (world.plan.limits.free_bytes_min + needed).saturating_sub(available);
                self.dealing_lacked.set(self.dealing_lacked.get().max(lacked));
            }
            match report {
                Report::Halted { .. } => self.halted.set(true),
                Report::Blocked { corruption, .. } => {
                    self.damage_told.set(true);
                    world.damage(&corruption);
                }
                Report::Damage { corruption, .. }
                | Report::Stray(corruption)
                | Report::Foreign(corruption)
                | Report::Gone { corruption, .. }
                | Report::IndexFailed { error: Error::Corrupt(corruption), .. }
                | Report::Failed { error: Error::Corrupt(corruption), .. } => {
                    self.damage_told.set(true);
                    world.damage(&corruption);
                }
                Report::Dealt(_)
                | Report::Unblocked
                | Report::Incomplete { .. }
                | Report::DealingFails { .. }
                | Report::DealingWorks
                | Report::Complete
                | Report::NoRoom { .. }
                | Report::Room
                | Report::Sorted { .. }
                | Report::Optimized { .. }
                | Report::Cleaned(_)
                | Report::Pruned(_)
                | Report::IndexFailed { .. }
                | Report::Failed { .. } => {}
            }
        };
        background.run(&|| self.stopping.get(), &report).await;
    }

    /// Whether an fdatasync of a shard has been under way for unusually long.
    pub fn is_stalled(&self, now: u64) -> bool {
        self.ports.iter().any(|port| port.ring.has_sync_since(now.saturating_sub(SYNC_USUAL_NANOS)))
    }

    /// Whether a call about the raw log's bytes failed before it was in order.
    pub fn failed_while_starting(&self) -> bool {
        !self.recovered.get() && self.disk.struck_raw().0 > self.struck_before.0
    }

    /// Whether background work's sync of a raw segment failed in this life.
    pub fn background_sync_failed(&self) -> bool {
        self.disk.struck_raw().1 > self.struck_before.1
    }

    /// The process is gone: what was under way on its rings happened in part.
    pub fn abandon_rings(&self) {
        self.ports.iter().for_each(|port| port.ring.abandon(&self.disk));
    }

    /// Asks the host to end in good order.
    pub fn shut_down(&self) {
        self.open.set(false);
        self.stopping.set(true);
        self.shared.wake();
        self.ports.iter().for_each(|port| port.post(Mail::Shutdown));
    }
}
