use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use super::backlog::Backlog;
use super::dealing::Dealing;
use super::local::Local;
use super::pause::{both, counted};
use super::tending::Tending;
use crate::error::Result;
use crate::ids::Epoch;
use crate::io::disk::Disk;
use crate::jobs::config::JobsConfig;
use crate::jobs::report::Report;
use crate::jobs::shared::Shared;
use crate::limits::Limits;
use crate::store::Store;
use crate::time::Clock;

/// Between two signs of life of a loop that has ended while the other one works on.
const REST: Duration = Duration::from_secs(1);

/// What is to be done after a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Something was done: there may be more.
    Again,
    /// There was nothing to do: look again after this time, or when woken.
    Rest(Duration),
}

/// How far [`Background::drain`] is, or went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Epochs dealt.
    pub epochs: u64,
    /// Records that indexes got.
    pub records: u64,
    /// Bytes that indexes got.
    pub bytes: u64,
    /// The last epoch dealt.
    pub last: Option<Epoch>,
}

/// All background work on one data directory, for one thread. To be created under dealer.lock.
#[derive(Debug)]
pub struct Background<D, C> {
    local: Rc<Local<D, C>>,
    dealing: Dealing<D, C>,
    tending: Tending<D, C>,
}

impl<D: Disk, C: Clock> Background<D, C> {
    /// Does nothing yet.
    #[must_use]
    pub fn new(store: Store<D>, clock: C, limits: Limits, config: JobsConfig, shared: Arc<Shared>) -> Self {
        let local = Rc::new(Local {
            store,
            clock,
            limits,
            shared,
            sorting: Mutex::new(()),
            backlog: RefCell::new(Backlog::new(config.sort_segments_max)),
            empty: RefCell::new(BTreeSet::new()),
            without_room: RefCell::default(),
            halted: Cell::new(false),
        });
        let (dealing, tending) = (Dealing::new(local.clone(), &config), Tending::new(local.clone(), &config));
        Self { local, dealing, tending }
    }

    /// Deals, sorts, optimizes and cleans until `stop` says so, which is asked between two steps
    /// ([`Shared::wake`] makes it ask soon), or until a sync fails ([`Report::Halted`]): then nothing can be
    /// trusted before the next start. May also be dropped at any await: a crash is no different.
    ///
    /// Does nothing while this host is not the master.
    pub async fn run(&mut self, stop: &dyn Fn() -> bool, report: &dyn Fn(Report)) {
        let local = self.local.clone();
        let turns = [&local.shared.stats.dealing_turns, &local.shared.stats.tending_turns];
        let rest = || local.clock.sleep(REST);
        both(self.dealing.run(stop, report), self.tending.run(stop, report), turns, rest).await;
    }

    /// Looks what waits to be dealt, and does nothing about it, until `stop` says so: for a process that deals nothing
    /// beside another one that does. Needs no lock.
    pub async fn watch(&mut self, stop: &dyn Fn() -> bool, report: &dyn Fn(Report)) {
        let local = self.local.clone();
        let watching = async {
            while !stop() {
                self.dealing.look_and_rest(report).await;
            }
        };
        // A look at many files takes long, and is no hang.
        counted(watching, &local.shared.stats.dealing_turns).await;
    }

    /// Deals everything that is complete, and nothing else; `progress` is told after each epoch. Run recovery
    /// of the raw log before, so that everything is complete.
    ///
    /// # Errors
    /// The first that dealing meets, also damage that blocks it.
    pub async fn drain(&mut self, progress: &dyn Fn(Drained)) -> Result<Drained> {
        let mut drained = Drained::default();
        while let Some(dealt) = self.dealing.drain_one().await? {
            drained.epochs += 1;
            drained.records += dealt.records();
            drained.bytes += dealt.bytes();
            drained.last = Some(dealt.epoch);
            progress(drained);
        }
        Ok(drained)
    }
}
