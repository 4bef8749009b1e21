//! Causes the troubles, restarts the host, and in the end sees that all is well.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use logtank_engine::format::{Checkpoint, RawName};
use logtank_engine::ids::{Epoch, IndexCode};
use logtank_engine::io::Transfer;
use logtank_engine::raw_log::LiveView;

use crate::disk::{CutPolicy, Hidden};
use crate::finale;
use crate::host::{Exit, Host, Mail};
use crate::manager;
use crate::no_segments;
use crate::oracle::Crash;
use crate::random::Random;
use crate::run::World;
use crate::small_drive;
use crate::world::Group;

/// Between two looks whether the host still runs.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// In a few of these what others cover is cleaned away, between two pages of a patient reader.
const A_WHILE: Duration = Duration::from_secs(25);

/// So much is the clock of a start ahead.
const MONTH_MILLIS: i64 = 30 * 86_400_000;

/// Longest that one waits for the moment to crash at.
const PATIENCE_NANOS: u64 = 4_000_000_000;

/// Longer than the host takes to notice that an epoch stays incomplete.
const STARVED: Duration = Duration::from_secs(400);
/// The host looks each second, or each ten after an error.
const NOTICED_AFTER: Duration = Duration::from_secs(330);

/// Who causes the troubles.
pub struct Nemesis {
    pub(crate) world: Rc<World>,
    pub(crate) random: Random,
}

/// Starts the host, causes all troubles of the plan, then the finale.
pub async fn nemesis(world: Rc<World>) {
    let nemesis = Nemesis { random: Random::new(world.plan.seed, "nemesis"), world };
    nemesis.birth().await;
    let (troubles, patient) = (nemesis.world.plan.troubles, nemesis.world.plan.patient);
    for trouble in 0..troubles {
        if patient && trouble == troubles / 2 {
            nemesis.a_while().await;
        } else {
            let calm = nemesis.calm();
            nemesis.attend(calm).await;
        }
        nemesis.trouble().await;
    }
    let calm = nemesis.calm();
    nemesis.attend(calm).await;
    nemesis.world.disk.faults().heal();
    nemesis.world.healed.set(true);
    finale::finale(&nemesis).await;
    nemesis.world.finished.set(true);
}

impl Nemesis {
    /// The first start, which may end before both halves of the tree know that they belong together.
    async fn birth(&self) {
        self.start();
        if self.random.percent(15) {
            self.world.executor.trace().count("early ends of the first life");
            self.world.executor.sleep(Duration::from_micros(self.random.below(15_000))).await;
            self.restart(if self.world.plan.menu.power { Crash::Power } else { Crash::Kill }).await;
        }
    }

    fn calm(&self) -> Duration {
        let millis = match self.random.below(10) {
            0..=2 => self.random.below(40),
            3..=6 => self.random.below(1_500),
            7 | 8 => self.random.below(10_000),
            _ => self.random.below(60_000),
        };
        Duration::from_micros(millis * 1_000 + self.random.below(1_000))
    }

    /// Long enough for much to be merged and cleaned away between two pages; not without errors, maybe.
    async fn a_while(&self) {
        let (faults, left_alone) = (self.world.disk.faults(), self.world.plan.left_alone);
        for _ in 0..if left_alone { 16 } else { 5 } {
            if left_alone {
                faults.removals.set(self.random.below(600));
            } else if self.world.plan.menu.errors && self.random.percent(50) {
                faults.names.set(self.random.between(1, 300));
            }
            self.attend(A_WHILE).await;
            faults.heal();
        }
        self.restart_if_halted().await;
    }

    /// Lets time pass; a host that ended by itself is started again.
    pub(crate) async fn attend(&self, time: Duration) {
        let until = self.world.executor.now() + u64::try_from(time.as_nanos()).expect("short");
        while self.world.executor.now() < until {
            let left = Duration::from_nanos(until - self.world.executor.now());
            self.world.executor.sleep(left.min(LOOK_EVERY)).await;
            let exit = self.world.host.borrow().as_ref().and_then(|host| host.exit.borrow().clone());
            if let Some(exit) = exit {
                self.world.executor.trace().count(if exit == Exit::Done {
                    "clean ends"
                } else {
                    "failed ends"
                });
                self.crash(Crash::Kill);
                self.world.executor.sleep(Duration::from_millis(self.random.below(1_000))).await;
                self.start();
            }
        }
    }

    pub(crate) fn start(&self) {
        self.world.executor.trace().note("start", "", 0);
        self.world.oracle.borrow_mut().starts();
        *self.world.host.borrow_mut() = Some(Host::start(&self.world));
    }

    /// Ends the host where it is.
    pub(crate) fn crash(&self, crash: Crash) {
        let world = &self.world;
        world.executor.trace().note(if crash == Crash::Power { "power cut" } else { "kill" }, "", 0);
        world.executor.trace().count(if crash == Crash::Power { "power cuts" } else { "kills" });
        world.executor.kill(Group::Host);
        let mut failed_start = false;
        if let Some(host) = world.host.borrow_mut().take() {
            failed_start = host.failed_while_starting();
            if host.background_sync_failed() {
                world.oracle.borrow_mut().background_sync_failed();
            }
            if host.is_stalled(world.executor.now()) {
                world.oracle.borrow_mut().drive_slow();
            }
            host.abandon_rings();
        }
        let mut forgets = failed_start;
        match crash {
            Crash::Power => {
                world.power_cuts.set(world.power_cuts.get() + 1);
                let (names, bytes) = (*self.random.pick(&CutPolicy::ALL), *self.random.pick(&CutPolicy::ALL));
                world.disk.cut_power(names, bytes);
            }
            Crash::Kill if self.random.percent(30) => {
                world.disk.evict();
                forgets = true;
            }
            Crash::Kill => {}
        }
        world.oracle.borrow_mut().crashed(crash, forgets, world.executor.now());
    }

    async fn trouble(&self) {
        let (menu, random) = (self.world.plan.menu, &self.random);
        let faults = self.world.disk.faults();
        match random.below(18) {
            _ if menu.full && random.percent(25) => small_drive::small_drive(self).await,
            0 | 1 if random.percent(60) => self.names_under_way().await,
            0..=4 => {
                self.restart(if menu.power && random.percent(70) { Crash::Power } else { Crash::Kill }).await
            }
            5 => self.shut_down().await,
            6 if menu.errors && random.percent(50) => self.failed_sync().await,
            6 if menu.errors && random.percent(50) => self.abandonment().await,
            6 | 7 if menu.errors => {
                self.world.executor.trace().count("faulty spells");
                let chances = [&faults.reads, &faults.writes, &faults.syncs, &faults.names, &faults.short];
                let often = random.percent(30);
                (*random.pick(&chances)).set(random.between(1, if often { 700 } else { 200 }));
                self.attend(Duration::from_millis(random.below(4_000))).await;
                if random.percent(40) {
                    self.restart(if menu.power { Crash::Power } else { Crash::Kill }).await;
                }
                faults.heal();
                self.restart_if_halted().await;
            }
            8 if menu.full => {
                self.world.executor.trace().count("full spells");
                let room = random.below(2 * self.world.plan.limits.free_bytes_min);
                faults.capacity.set(self.world.disk.used() + room);
                self.attend(Duration::from_millis(random.below(8_000))).await;
                faults.heal();
            }
            9 | 10 if menu.slow => {
                self.world.executor.trace().count("slow spells");
                let stall = random.between(100, 4_000) * 1_000_000;
                if random.percent(50) {
                    faults.stalled_until.set(self.world.executor.now() + stall);
                    if random.percent(40) {
                        self.world.executor.trace().count("kills in a stall");
                        self.attend(Duration::from_nanos(random.below(stall))).await;
                        self.restart(Crash::Kill).await;
                    }
                } else if random.percent(50) {
                    self.starve(stall).await;
                } else {
                    faults.slowness.set(random.between(2, 60));
                    self.attend(Duration::from_millis(random.below(3_000))).await;
                    faults.slowness.set(1);
                }
            }
            11 if menu.clock && self.prunes_by_age() && random.percent(70) => self.wrong_month().await,
            11 if menu.clock => {
                self.world.executor.trace().count("clock steps");
                let millis = i64::try_from(random.below(7_200_000)).expect("hours");
                self.world.clock.step_wall(if random.percent(60) { -millis } else { millis });
            }
            12 if menu.power => self.removals_under_way().await,
            13 if menu.slow && random.percent(50) => {
                self.starve(random.between(100, 4_000) * 1_000_000).await
            }
            13 if menu.errors => self.abandonment().await,
            14 if menu.slow => self.incomplete_epoch().await,
            16 if menu.errors => no_segments::broken_drive(self).await,
            17 if menu.errors => no_segments::no_descriptors(self).await,
            15 if random.percent(40) => self.half_missing().await,
            15 if random.percent(50) => self.older_copy().await,
            _ if self.world.plan.piles_up() => self.pile_up().await,
            _ => {}
        }
    }

    /// Whether nothing but its age has history pruned. (Deletions are forgotten by the clock, too.)
    fn prunes_by_age(&self) -> bool {
        let (jobs, menu) = (&self.world.plan.jobs, self.world.plan.menu);
        jobs.history_age_max.is_some() && jobs.history_bytes_max.is_none() && !menu.deletions
    }

    /// One start with a clock that is a month ahead: history that is young must outlive it.
    async fn wrong_month(&self) {
        let world = &self.world;
        let most = world.plan.jobs.history_age_max.expect("the caller has looked");
        world.executor.trace().count("starts a month ahead");
        // What others cover is cleaned away first, and history pruned as it should be.
        self.attend(most / 10).await;
        self.crash(Crash::Kill);
        let history = || {
            let files = world.disk.files().into_iter().map(|(path, _)| path);
            let names = files.filter(|path| path.parent() == Some(&world.layout.raw_history()));
            names.filter_map(|path| path.file_name()?.to_str().and_then(RawName::parse)?.epoch())
        };
        let there: BTreeSet<Epoch> = history().collect();
        let newest = there.last().map_or(0, |epoch| epoch.millis());
        world.clock.step_wall(MONTH_MILLIS);
        self.start();
        self.attend(most / 10).await;
        self.crash(Crash::Kill);
        world.clock.step_wall(-MONTH_MILLIS);
        let left: BTreeSet<Epoch> = history().collect();
        let half = u64::try_from(most.as_millis()).expect("short") / 2;
        let young = |epoch: &&Epoch| newest - epoch.millis() <= half;
        if let Some(gone) = there.difference(&left).find(young) {
            world.check(Err(format!("epoch {gone} is gone from history, where the newest is {newest}")));
        }
        self.start();
    }

    /// Nothing of one shard gets to the drive for so long, while the others go on and epochs end.
    async fn starve(&self, nanos: u64) {
        let (faults, random, executor) = (self.world.disk.faults(), &self.random, &self.world.executor);
        executor.trace().count("starved shards");
        // Maybe from the first frame of an epoch on.
        self.end_epoch();
        executor.sleep(Duration::from_micros(random.below(20_000))).await;
        faults.starved.set(Some((random.place(self.world.plan.shards), executor.now() + nanos)));
        // Some epochs are so short that only the starved shard has anything in them: nothing of them is on the drive.
        let short = if random.percent(60) { 12 } else { 0 };
        for _ in 0..short {
            self.end_epoch();
            self.attend(Duration::from_micros(random.below(6_000))).await;
        }
        for _ in 0..4 {
            self.attend(Duration::from_nanos(nanos / 4)).await;
            self.end_epoch();
        }
    }

    /// Nothing of one shard gets to the drive for minutes, so an epoch stays incomplete: the host must count it, and say so.
    async fn incomplete_epoch(&self) {
        let (faults, random, executor) = (self.world.disk.faults(), &self.random, &self.world.executor);
        executor.trace().count("minutes without a shard");
        self.end_epoch();
        executor.sleep(Duration::from_micros(random.below(20_000))).await;
        let until = executor.now() + u64::try_from(STARVED.as_nanos()).expect("minutes");
        faults.starved.set(Some((random.place(self.world.plan.shards), until)));
        let mut waiting: Option<(Epoch, u64)> = None;
        // A host that was started again begins to wait anew.
        let mut life = None;
        while executor.now() < until {
            self.attend(Duration::from_secs(5)).await;
            self.end_epoch();
            let Some(host) = self.world.open_host().filter(|host| !host.halted.get()) else {
                waiting = None;
                continue;
            };
            if life.replace(Rc::as_ptr(&host)) != Some(Rc::as_ptr(&host)) {
                waiting = None;
            }
            let found = self.first_incomplete(&host).await;
            let since = waiting.filter(|(epoch, _)| Some(*epoch) == found).map(|(_, since)| since);
            waiting = found.map(|epoch| (epoch, since.unwrap_or_else(|| executor.now())));
            let noticed_after = u64::try_from(NOTICED_AFTER.as_nanos()).expect("minutes");
            let Some((epoch, _)) = waiting.filter(|(_, since)| executor.now() - since > noticed_after) else {
                continue;
            };
            executor.trace().count("looks at an epoch that stays incomplete");
            let stats = &host.shared.stats;
            if stats.oldest_waiting.get() != epoch.millis() || stats.waiting_epochs.get() == 0 {
                self.world
                    .check(Err(format!("epoch {epoch} stays incomplete and is not counted: {stats:?}")));
            }
            if stats.incomplete.get() != 1 {
                self.world
                    .check(Err(format!("epoch {epoch} stays incomplete, and the host seems to be well")));
            }
        }
        faults.starved.set(None);
        self.attend(Duration::from_secs(1)).await;
    }

    /// The first epoch that is not dealt, if it is not complete though a later one is there.
    async fn first_incomplete(&self, host: &Rc<Host>) -> Option<Epoch> {
        let host = host.clone();
        let look = async move {
            let view = LiveView::look(&host.store(), Transfer::Cached).await.ok()?;
            let checkpoint = Checkpoint::read(&host.store()).await.ok()?.next().ok()?;
            let (first, _) = view.epochs.range(checkpoint..).next()?;
            (view.greatest_epoch() != Some(*first) && !view.is_complete(*first)).then_some(*first)
        };
        self.world.within_host(look).await.flatten()
    }

    pub(crate) fn end_epoch(&self) {
        if let Some(host) = self.world.open_host() {
            host.ports.iter().for_each(|port| port.post(Mail::Seal));
        }
    }

    /// Epochs end and are sorted, and nobody asks for an optimization until several sorted segments of an index wait.
    async fn pile_up(&self) {
        let (random, plan) = (&self.random, &self.world.plan);
        self.world.executor.trace().count("piles of sorted segments");
        for _ in 0..3 * (plan.jobs.sort_segments_max + 1) {
            self.end_epoch();
            self.attend(Duration::from_millis(random.between(100, 600))).await;
        }
        if let Some(host) = self.world.open_host() {
            manager::enqueue(&self.world, &host, random.place(plan.codes.len())).await;
        }
    }

    /// The machine ends when a sort has removed its inputs: a power cut may bring any of them back.
    async fn removals_under_way(&self) {
        let (random, executor, disk) = (&self.random, &self.world.executor, &self.world.disk);
        executor.trace().count("power cuts with removals under way");
        let index = random.place(self.world.plan.codes.len());
        if let Some(host) = self.world.open_host() {
            manager::enqueue(&self.world, &host, index).await;
        }
        let segments = self.world.layout.segments(&self.code(index));
        // Segments have sidecars.
        let enough = 2 * usize::try_from(random.between(2, 4)).expect("few");
        let until = executor.now() + PATIENCE_NANOS;
        while disk.removals_under_way(&segments) < enough && executor.now() < until {
            executor.sleep(Duration::from_micros(300)).await;
        }
        self.restart(Crash::Power).await;
    }

    /// A write to a segment of which nothing is durable yet fails, and the process ends when that segment is given up, maybe
    /// while what was in it is still on its way to another one.
    async fn abandonment(&self) {
        let (faults, random, executor) = (self.world.disk.faults(), &self.random, &self.world.executor);
        executor.trace().count("kills at an abandonment");
        self.end_epoch();
        executor.sleep(Duration::from_micros(random.below(100_000))).await;
        faults.limp_nanos.set(random.below(100_000_000));
        faults.writes.set(1_000);
        let (failed, abandoned) = (faults.failed_writes.get(), faults.abandoned.get());
        let until = executor.now() + PATIENCE_NANOS;
        while faults.failed_writes.get() == failed && executor.now() < until {
            executor.sleep(Duration::from_micros(50)).await;
        }
        faults.heal();
        while faults.abandoned.get() == abandoned && executor.now() < until {
            executor.sleep(Duration::from_micros(50)).await;
        }
        executor.sleep(Duration::from_micros(random.below(3_000))).await;
        self.restart(Crash::Kill).await;
    }

    fn code(&self, index: usize) -> IndexCode {
        IndexCode::new(self.world.plan.codes[index].as_bytes()).expect("codes are valid")
    }

    /// The process ends just when a sync has failed: the page cache shows what the drive has not got. Then the machine ends,
    /// soon after the next start.
    async fn failed_sync(&self) {
        let (faults, random, executor) = (self.world.disk.faults(), &self.random, &self.world.executor);
        executor.trace().count("kills after a failed sync");
        // Half of the time what is to be written elsewhere takes longer than the process lives.
        faults.limp_nanos.set(if random.percent(50) { 0 } else { random.below(20_000_000) });
        faults.syncs.set(1_000);
        let (before, until) = (faults.failed_syncs.get(), executor.now() + PATIENCE_NANOS);
        while faults.failed_syncs.get() == before && executor.now() < until {
            executor.sleep(Duration::from_micros(500)).await;
        }
        faults.heal();
        executor.sleep(Duration::from_micros(random.below(1_500))).await;
        self.crash(Crash::Kill);
        executor.sleep(Duration::from_micros(random.below(300_000))).await;
        self.start();
        executor.sleep(Duration::from_micros(random.below(80_000))).await;
        self.restart(if self.world.plan.menu.power { Crash::Power } else { Crash::Kill }).await;
    }

    /// The process ends while a name is on its way to the drive, so that the next one sees what a power cut may still take
    /// back.
    async fn names_under_way(&self) {
        let (random, executor, disk) = (&self.random, &self.world.executor, &self.world.disk);
        executor.trace().count("kills with names under way");
        let folders = ["/data", "/data/raw/live", "/data/raw/history", "/data/raw/spare", "/data/deletions"];
        let folder = if random.percent(30) {
            let code =
                IndexCode::new(random.pick(&self.world.plan.codes).as_bytes()).expect("codes are valid");
            self.world.layout.segments(&code)
        } else {
            PathBuf::from(if random.percent(50) { folders[0] } else { *random.pick(&folders) })
        };
        let until = executor.now() + PATIENCE_NANOS / 2;
        while !disk.has_names_under_way(&folder) && executor.now() < until {
            executor.sleep(Duration::from_micros(300)).await;
        }
        self.crash(Crash::Kill);
        executor.sleep(Duration::from_micros(random.below(100_000))).await;
        self.start();
        executor.sleep(Duration::from_micros(random.below(200_000))).await;
        self.restart(if self.world.plan.menu.power { Crash::Power } else { Crash::Kill }).await;
    }

    /// A drive is not mounted for one start, or a folder is misspelt: the data directory is empty, or raw/ is. Then the host
    /// gets all of it again.
    async fn half_missing(&self) {
        let Self { world, random } = self;
        let identified = [world.layout.identity(), world.layout.raw_identity()]
            .iter()
            .all(|path| world.disk.peek(path).is_some_and(|text| text.starts_with(b"final ")));
        if !identified {
            return;
        }
        world.executor.trace().count("starts with half of the tree");
        self.crash(Crash::Kill);
        let half = if random.percent(50) { world.layout.raw() } else { world.layout.data() };
        let hidden = world.disk.hide(half, (half == world.layout.data()).then_some("raw"));
        self.start_in_vain(hidden, &format!("{} was empty", half.display())).await;
    }

    /// An older copy of the data directory is put back for one start, though epochs were dealt since. Then the host gets the
    /// newer one again.
    async fn older_copy(&self) {
        let Self { world, random } = self;
        let Some(next) = self.checkpoint() else { return };
        let copied = world.disk.copy(world.layout.data(), "raw");
        for _ in 0..random.between(1, 4) {
            self.end_epoch();
            self.attend(Duration::from_millis(random.below(2_000))).await;
        }
        let dealt_since = world.disk.files().into_iter().any(|(path, _)| {
            path.parent() == Some(&world.layout.raw_history())
                && matches!(
                    path.file_name().and_then(|name| RawName::parse(name.to_str()?)),
                    Some(RawName::Segment { epoch, .. }) if epoch >= next
                )
        });
        if !dealt_since {
            return;
        }
        world.executor.trace().count("starts with an older copy");
        self.crash(Crash::Kill);
        let hidden = world.disk.replace(world.layout.data(), &copied, "raw");
        self.start_in_vain(hidden, "an older copy was put back").await;
    }

    /// The first epoch that is not dealt, of a tree that has an identity.
    fn checkpoint(&self) -> Option<Epoch> {
        let Self { world, .. } = self;
        let identity = world.disk.peek(&world.layout.identity())?;
        let identified = identity.starts_with(b"final ")
            && world.disk.peek(&world.layout.raw_identity()).as_ref() == Some(&identity);
        let text = String::from_utf8(world.disk.peek(&world.layout.checkpoint())?).ok()?;
        text.trim().parse().ok().and_then(Epoch::new).filter(|_| identified)
    }

    /// A start that must be refused and leave what is in the place of `hidden` as it was; then one of the tree as it should be.
    async fn start_in_vain(&self, hidden: Hidden, why: &str) {
        let world = &self.world;
        world.half_missing.set(true);
        self.start();
        world.executor.sleep(Duration::from_micros(self.random.below(2_000_000))).await;
        self.crash(Crash::Kill);
        world.half_missing.set(false);
        if !world.disk.show(hidden) {
            world.check(Err(format!("{why}, and something was changed there")));
        }
        self.start();
    }

    /// A crash, and maybe more of them before the host is up again.
    pub(crate) async fn restart(&self, crash: Crash) {
        self.crash(crash);
        loop {
            self.world.executor.sleep(Duration::from_micros(self.random.below(300_000))).await;
            self.start();
            if !self.random.percent(25) {
                return;
            }
            let longest = *self.random.pick(&[15_000, 15_000, 150_000]);
            self.world.executor.sleep(Duration::from_micros(self.random.below(longest))).await;
            let again = if self.world.plan.menu.power && self.random.percent(50) {
                Crash::Power
            } else {
                Crash::Kill
            };
            self.crash(again);
        }
    }

    /// As an operator does when told that background work has halted.
    pub(crate) async fn restart_if_halted(&self) {
        let halted = self.world.host.borrow().as_ref().is_some_and(|host| host.halted.get());
        if halted {
            self.restart(Crash::Kill).await;
        }
    }

    async fn shut_down(&self) {
        let Some(host) = self.world.open_host() else { return };
        self.world.executor.trace().note("shut down", "", 0);
        host.shut_down();
        let patience = self.random.below(6_000);
        let until = self.world.executor.now() + patience * 1_000_000;
        while self.world.executor.now() < until && host.exit.borrow().is_none() {
            self.world.executor.sleep(LOOK_EVERY).await;
        }
        if *host.exit.borrow() == Some(Exit::Done) {
            self.world.executor.trace().count("shutdowns");
            self.world.oracle.borrow_mut().shut_down();
        }
        self.restart(if self.world.plan.menu.power { Crash::Power } else { Crash::Kill }).await;
    }
}
