//! What background work does when.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::config::JobsConfig;
use super::report::Report;
use super::shared::Shared;
use crate::error::Result;
use crate::format::layout::Layout;
use crate::ids::Epoch;
use crate::io::disk::Disk;
use crate::limits::Limits;
use crate::time::Clock;

/// What is to be done after a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
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

/// All background work on one data directory, for one thread. Create it under dealer.lock.
#[derive(Debug)]
pub struct Background<D, C> {
    disk: D,
    clock: C,
    layout: Layout,
    limits: Limits,
    config: JobsConfig,
    shared: Arc<Shared>,
    busy: Rc<()>,
}

impl<D: Disk, C: Clock> Background<D, C> {
    /// Does nothing yet.
    #[must_use]
    pub fn new(
        disk: D,
        clock: C,
        layout: Layout,
        limits: Limits,
        config: JobsConfig,
        shared: Arc<Shared>,
    ) -> Self {
        Self { disk, clock, layout, limits, config, shared, busy: Rc::new(()) }
    }

    /// Deals, sorts, optimizes and cleans until `stop` says so, which is asked between two steps
    /// ([`Shared::wake`] makes it ask soon). May also be dropped at any await: a crash is no different.
    ///
    /// Does nothing while this host is not the master.
    pub async fn run(&mut self, stop: &dyn Fn() -> bool, report: &dyn Fn(Report)) {
        let _ = (stop, report);
        let _ = (&self.disk, &self.clock, &self.layout, &self.limits, &self.config, &self.shared, &self.busy);
        unimplemented!("contract only")
    }

    /// Deals everything that is complete, and nothing else; `progress` is told after each epoch. Run recovery
    /// of the raw log before, so that everything is complete.
    ///
    /// # Errors
    /// The first that dealing meets, also damage that blocks it.
    pub async fn drain(&mut self, progress: &dyn Fn(Drained)) -> Result<Drained> {
        let _ = progress;
        unimplemented!("contract only")
    }
}
