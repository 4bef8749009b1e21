//! What the two loops share, and what both do.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::Mutex;

use super::backlog::Backlog;
use crate::error::{Error, Result};
use crate::format::checkpoint::Checkpoint;
use crate::ids::{Epoch, IndexCode};
use crate::index_log::index_store::{Bounds, IndexStore};
use crate::io::disk::{Disk, Space};
use crate::jobs::report::Report;
use crate::jobs::shared::Shared;
use crate::jobs::sorter::needed_to_sort;
use crate::limits::Limits;
use crate::room::ledger::Promise;
use crate::room::reserve::Reserve;
use crate::store::Store;
use crate::time::Clock;

/// What the two loops share.
#[derive(Debug)]
pub(super) struct Local<D, C> {
    pub(super) store: Store<D>,
    pub(super) clock: C,
    pub(super) limits: Limits,
    pub(super) shared: Arc<Shared>,
    /// Held while an index is sorted: two sorts of one index would spoil each other.
    pub(super) sorting: Mutex<()>,
    pub(super) backlog: RefCell<Backlog>,
    /// Folders of indexes with nothing in them.
    pub(super) empty: RefCell<BTreeSet<IndexCode>>,
    /// Kinds of work that wait for room.
    pub(super) without_room: RefCell<BTreeSet<&'static str>>,
    /// A sync failed: no step is taken any more.
    pub(super) halted: Cell<bool>,
}

impl<D: Disk, C: Clock> Local<D, C> {
    pub(super) async fn checkpoint(&self) -> Result<Epoch> {
        Checkpoint::read(&self.store).await?.next()
    }

    /// `None` if nobody knows what of the index is deleted.
    pub(super) async fn bounds(&self, code: &IndexCode) -> Result<Option<Bounds>> {
        let deletions = self.shared.deletions.snapshot(&self.store).await?;
        if deletions.is_unreadable(code) {
            return Ok(None);
        }
        Ok(Some(Bounds { checkpoint: self.checkpoint().await?, deletion: deletions.position(code) }))
    }

    /// A job found room, or did not: so many bytes needed, so many available.
    pub(super) fn room(&self, job: &'static str, room: Result<(), (u64, u64)>, report: &dyn Fn(Report)) {
        let mut waiting = self.without_room.borrow_mut();
        let had = waiting.len();
        match room {
            Ok(()) => _ = waiting.remove(job),
            Err(_) => _ = waiting.insert(job),
        }
        let has = waiting.len();
        self.shared.stats.without_room.set(has as u64);
        match room {
            Err((needed, available)) if had == 0 => report(Report::NoRoom { job, needed, available }),
            Ok(()) if had > 0 && has == 0 => report(Report::Room),
            _ => {}
        }
    }

    /// So much of the indexes' drive for a job, beside what is promised to others, if there is so much; says so if that changes.
    async fn afford(
        &self,
        job: &'static str,
        needed: u64,
        report: &dyn Fn(Report),
    ) -> Result<Option<Promise>> {
        let room = self.store.disk().space(self.store.layout().data()).await?;
        let promise = self.promise(&room, needed);
        self.room(job, promise.as_ref().map(|_| ()).ok_or((needed, room.available_bytes)), report);
        Ok(promise)
    }

    /// Whether there is room for a job that takes little; as far as that can be found out.
    pub(super) async fn has_room(&self, job: &'static str, report: &dyn Fn(Report)) -> bool {
        self.afford(job, 0, report).await.map_or(true, |promise| promise.is_some())
    }

    /// So much for a job, where there is so much room, and it leaves the reserve and what is promised to dealing and to other
    /// jobs.
    pub(super) fn promise(&self, room: &Space, needed: u64) -> Option<Promise> {
        let reserve = Reserve::new(self.limits.free_bytes_min);
        self.shared.ledger.promise_of(needed, room, reserve)
    }

    /// Sorts an index; the caller holds [`Self::sorting`]. `false` if there is no room to: nothing has changed then.
    pub(super) async fn sort(&self, code: &IndexCode, report: &dyn Fn(Report)) -> bool {
        match self.try_sort(code, report).await {
            Ok(true) => self.backlog.borrow_mut().done(code),
            Ok(false) => return false,
            // Deleted meanwhile.
            Err(error) if error.is_not_found() => self.backlog.borrow_mut().done(code),
            Err(error) => {
                self.backlog.borrow_mut().failed(code, self.clock.now().mono);
                self.index_failed("sort", code, error, report);
            }
        }
        self.shared.stats.sort_waiting.set(self.backlog.borrow().len() as u64);
        true
    }

    async fn try_sort(&self, code: &IndexCode, report: &dyn Fn(Report)) -> Result<bool> {
        let Some(bounds) = self.bounds(code).await? else { return Ok(true) };
        let index = IndexStore::new(&self.store, code, bounds);
        let needed = needed_to_sort(&index.chain().await?, &self.limits);
        let Some(_promise) = self.afford("sort", needed, report).await? else { return Ok(false) };
        let sorted = index.sort(&self.limits).await?;
        for corruption in sorted.findings {
            report(Report::Damage { code: code.clone(), corruption });
        }
        for name in sorted.published {
            self.shared.stats.sorts.add(1);
            report(Report::Sorted { code: code.clone(), records: name.records });
        }
        Ok(true)
    }

    /// Tells of a step that failed.
    pub(super) fn failed(&self, job: &'static str, error: Error, report: &dyn Fn(Report)) {
        self.shared.stats.errors.add(1);
        if !self.halt_if_sync_failed(&error) {
            report(Report::Failed { job, error });
        } else {
            report(Report::Halted { job, error });
        }
    }

    /// Tells of work on one index that failed.
    pub(super) fn index_failed(
        &self,
        job: &'static str,
        code: &IndexCode,
        error: Error,
        report: &dyn Fn(Report),
    ) {
        self.shared.stats.errors.add(1);
        if !self.halt_if_sync_failed(&error) {
            report(Report::IndexFailed { job, code: code.clone(), error });
        } else {
            report(Report::Halted { job, error });
        }
    }

    fn halt_if_sync_failed(&self, error: &Error) -> bool {
        let failed = error.is_failed_sync();
        self.halted.set(self.halted.get() || failed);
        failed
    }
}
