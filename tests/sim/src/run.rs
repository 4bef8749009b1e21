//! One run: a world made from a seed, until everything is said and checked.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::rc::Rc;

use logtank_engine::error::Corruption;
use logtank_engine::format::Layout;
use logtank_engine::recovery_read::KEY_BYTES;
use tokio::sync::oneshot;

use crate::client::{self, Load};
use crate::disk::SimDisk;
use crate::host::Host;
use crate::mutants::Mutant;
use crate::oracle::Oracle;
use crate::plan::Plan;
use crate::random::Random;
use crate::world::{Executor, Group, SimClock, Trace};
use crate::{manager, nemesis, reader, spares};

/// A run that does so much is not going anywhere.
const STEPS_MAX: u64 = 20_000_000;
/// Steps without time passing: somebody waits in circles.
const STEPS_AT_ONCE_MAX: u64 = 200_000;

/// Everything of one run.
pub struct World {
    /// What the seed stands for.
    pub plan: Plan,
    /// Runs it.
    pub executor: Executor,
    /// The host's clocks.
    pub clock: SimClock,
    /// The host's disk.
    pub disk: SimDisk,
    /// Where the host's files are.
    pub layout: Layout,
    /// Knows the answer.
    pub oracle: RefCell<Oracle>,
    /// The host, while one runs.
    pub host: RefCell<Option<Rc<Host>>>,
    /// Random numbers of the host: salts.
    pub salts: Random,
    /// A bit was flipped: damage may be met from here on.
    pub flipped: Cell<bool>,
    /// One half of the tree is not there, the data directory's or raw/.
    pub half_missing: Cell<bool>,
    /// How often the power was cut.
    pub power_cuts: Cell<u64>,
    /// The last thing is done.
    pub finished: Cell<bool>,
    /// Clients that are done.
    pub clients_done: Cell<usize>,
    /// Clients that were started.
    pub clients: Cell<usize>,
    /// Nothing fails any more.
    pub healed: Cell<bool>,
    failure: RefCell<Option<String>>,
}

impl World {
    /// The first thing that is wrong ends the run.
    pub fn check(&self, result: Result<(), String>) {
        if let Err(what) = result {
            self.executor.trace().note("WRONG", &what, 0);
            self.failure.borrow_mut().get_or_insert(what);
        }
    }

    /// What a host makes a key of, which nothing else does.
    #[must_use]
    pub fn secret(&self) -> [u8; KEY_BYTES] {
        let mut secret = [0; KEY_BYTES];
        secret.chunks_exact_mut(8).for_each(|part| part.copy_from_slice(&self.salts.next().to_be_bytes()));
        secret
    }

    /// The host found damage.
    pub fn damage(&self, corruption: &Corruption) {
        if !self.flipped.get() {
            self.check(Err(format!("damage that nobody did: {corruption}")));
        }
    }

    /// The host, if clients may use it.
    #[must_use]
    pub fn open_host(&self) -> Option<Rc<Host>> {
        self.host.borrow().clone().filter(|host| host.open.get())
    }

    /// Has the host do something; `None` if it died over it.
    pub async fn within_host<T: 'static>(&self, work: impl Future<Output = T> + 'static) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        self.executor.spawn(Group::Host, async move {
            let _ = answer.send(work.await);
        });
        answered.await.ok()
    }
}

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What is wrong, if anything.
    pub failure: Option<String>,
    /// All that happened, as one number.
    pub hash: u64,
    /// What happened how often.
    pub counts: BTreeMap<&'static str, u64>,
}

/// How to run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Print everything that happens.
    pub trace: bool,
    /// With this bug.
    pub mutant: Option<Mutant>,
}

/// Runs a seed.
#[must_use]
pub fn run(seed: u64, options: Options) -> Outcome {
    let _thrown = options.mutant.map(Mutant::throw);
    let trace = Trace::new(options.trace);
    let executor = Executor::new(seed, trace.clone());
    let clock = SimClock::new(executor.clone());
    let plan = Plan::new(seed);
    if options.trace {
        eprintln!("{plan:#?}");
    }
    let tampering = options.mutant.map(Mutant::tampering).unwrap_or_default();
    let disk = SimDisk::new(seed, executor.clone(), clock.clone(), plan.metadata, tampering);
    let world = Rc::new(World {
        oracle: RefCell::new(Oracle::new(plan.promise(), plan.codes.clone())),
        executor: executor.clone(),
        clock,
        disk,
        layout: Layout::new(Path::new("/data"), None),
        host: RefCell::default(),
        salts: Random::new(seed, "salts"),
        flipped: Cell::new(false),
        half_missing: Cell::new(false),
        power_cuts: Cell::default(),
        finished: Cell::new(false),
        clients_done: Cell::new(0),
        clients: Cell::new(0),
        healed: Cell::new(false),
        failure: RefCell::default(),
        plan,
    });
    spares::put(&world);
    for _ in 0..world.plan.clients {
        client::start(&world, Load::usual(&world.plan));
    }
    executor.spawn(Group::World, reader::readers(world.clone()));
    executor.spawn(Group::World, manager::manager(world.clone()));
    executor.spawn(Group::World, nemesis::nemesis(world.clone()));
    // A panic is an assertion of the engine that failed. (Where panics end the process, so does the run.)
    let panicked = catch_unwind(AssertUnwindSafe(|| go(&world)));
    if let Err(panic) = &panicked {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        world.check(Err(format!("panic: {}", text.unwrap_or_default())));
        // What it left behind can't be trusted enough to be dropped.
        let outcome = Outcome { failure: world.failure.take(), hash: trace.hash(), counts: trace.counts() };
        std::mem::forget(world);
        return outcome;
    }
    executor.kill(Group::Host);
    executor.kill(Group::World);
    world.host.take();
    let failure = world.failure.take();
    Outcome { failure, hash: trace.hash(), counts: trace.counts() }
}

fn go(world: &World) {
    let (mut steps, mut at_once, mut now) = (0, 0, 0);
    while !world.finished.get() && world.failure.borrow().is_none() {
        if !world.executor.step() {
            return world.check(Err("everybody waits for something that nobody does".to_owned()));
        }
        steps += 1;
        at_once += 1;
        if world.executor.now() != now {
            (at_once, now) = (0, world.executor.now());
        }
        if steps > STEPS_MAX || at_once > STEPS_AT_ONCE_MAX {
            return world.check(Err(format!("no end after {steps} steps, {at_once} of them at once")));
        }
    }
}
