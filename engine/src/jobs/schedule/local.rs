//! What the two loops share, and what both do.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::Mutex;

use super::backlog::Backlog;
use crate::error::{Error, Result};
use crate::format::checkpoint::Checkpoint;
use crate::format::layout::Layout;
use crate::ids::{Epoch, IndexCode, Position};
use crate::io::disk::Disk;
use crate::jobs::report::Report;
use crate::jobs::shared::Shared;
use crate::jobs::sorter::sort_index;
use crate::limits::Limits;
use crate::time::Clock;

/// What the two loops share.
#[derive(Debug)]
pub(super) struct Local<D, C> {
    pub(super) disk: D,
    pub(super) clock: C,
    pub(super) layout: Layout,
    pub(super) limits: Limits,
    pub(super) shared: Arc<Shared>,
    /// Held while an index is sorted: two sorts of one index would spoil each other.
    pub(super) sorting: Mutex<()>,
    pub(super) backlog: RefCell<Backlog>,
    /// Folders of indexes with nothing in them.
    pub(super) empty: RefCell<BTreeSet<IndexCode>>,
    /// A sync failed: no step is taken any more.
    pub(super) halted: Cell<bool>,
}

/// What of an index may be merged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) checkpoint: Epoch,
    pub(super) deletion: Option<Position>,
}

impl<D: Disk, C: Clock> Local<D, C> {
    pub(super) async fn checkpoint(&self) -> Result<Epoch> {
        Checkpoint::read(&self.disk, &self.layout).await?.next()
    }

    /// `None` if nobody knows what of the index is deleted.
    pub(super) async fn bounds(&self, code: &IndexCode) -> Result<Option<Bounds>> {
        let deletions = self.shared.deletions.snapshot(&self.disk, &self.layout).await?;
        if deletions.is_unreadable(code) {
            return Ok(None);
        }
        Ok(Some(Bounds { checkpoint: self.checkpoint().await?, deletion: deletions.position(code) }))
    }

    /// Sorts an index; the caller holds [`Self::sorting`].
    pub(super) async fn sort(&self, code: &IndexCode, report: &dyn Fn(Report)) {
        match self.try_sort(code, report).await {
            Ok(()) => self.backlog.borrow_mut().done(code),
            // Deleted meanwhile.
            Err(error) if error.is_not_found() => self.backlog.borrow_mut().done(code),
            Err(error) => {
                self.backlog.borrow_mut().failed(code, self.clock.now().mono);
                self.index_failed("sort", code, error, report);
            }
        }
        self.shared.stats.sort_waiting.set(self.backlog.borrow().len() as u64);
    }

    async fn try_sort(&self, code: &IndexCode, report: &dyn Fn(Report)) -> Result<()> {
        let Some(bounds) = self.bounds(code).await? else { return Ok(()) };
        let Bounds { checkpoint, deletion } = bounds;
        let sorted =
            sort_index(&self.disk, &self.layout, code, checkpoint, deletion, &self.limits, &mut |_| {})
                .await?;
        for corruption in sorted.findings {
            report(Report::Damage { code: code.clone(), corruption });
        }
        for name in sorted.published {
            self.shared.stats.sorts.add(1);
            report(Report::Sorted { code: code.clone(), records: name.records });
        }
        Ok(())
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
