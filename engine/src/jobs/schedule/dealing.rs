//! The loop that deals, sorts, and takes away what was deleted.
//!
//! Those write into the same folders, so they are one after the other. Dealing comes first; but an epoch
//! dealt leaves segments to sort, so after each one sorting may take as long as dealing it took: otherwise
//! sustained load would pile up unsorted segments without bound.

use std::rc::Rc;
use std::time::Duration;

use futures_lite::future::{or, yield_now};

use super::background::Turn;
use super::failing::Failing;
use super::local::Local;
use super::standing::{Standing, Told};
use crate::error::{Corruption, DiskError, Error, Result, Verb};
use crate::ids::{Epoch, IndexCode};
use crate::io::disk::Disk;
use crate::jobs::cleaner::{Cleaned, Deleted, empty_trash};
use crate::jobs::config::JobsConfig;
use crate::jobs::dealer::{Dealer, Dealt, Lag, Outcome};
use crate::jobs::history::{History, Pruned};
use crate::jobs::report::Report;
use crate::jobs::shared::Shared;
use crate::roles::is_master;
use crate::time::{Clock, MonoNanos};

/// Between two looks for an epoch to deal.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Between two tries of what failed, or is blocked by damage.
const RETRY_AFTER: Duration = Duration::from_secs(10);
/// Between two rounds of taking away what was deleted.
const CLEAN_EVERY: Duration = Duration::from_secs(25);

/// The loop that deals, sorts, and takes away what was deleted.
#[derive(Debug)]
pub(super) struct Dealing<D, C> {
    local: Rc<Local<D, C>>,
    dealer: Dealer<D>,
    deleted: Deleted<D>,
    history: History<D>,
    trash_emptied: bool,
    blocked: Option<Block>,
    strays_told: Vec<Corruption>,
    standing: Standing,
    failing: Failing,
    deal_from: MonoNanos,
    sort_from: MonoNanos,
    clean_from: MonoNanos,
    last_sorted: Option<IndexCode>,
}

#[derive(Debug)]
struct Block {
    corruption: Corruption,
    told: bool,
}

impl<D: Disk, C: Clock> Dealing<D, C> {
    pub(super) fn new(local: Rc<Local<D, C>>, config: &JobsConfig) -> Self {
        let store = &local.store;
        Self {
            dealer: Dealer::new(store.clone(), &local.limits, config.raw_transfer),
            deleted: Deleted::new(store.clone()),
            history: History::new(store.clone(), &local.limits, config),
            trash_emptied: false,
            blocked: None,
            strays_told: Vec::new(),
            standing: Standing::default(),
            failing: Failing::default(),
            deal_from: MonoNanos(0),
            sort_from: MonoNanos(0),
            clean_from: MonoNanos(0),
            last_sorted: None,
            local,
        }
    }

    pub(super) async fn run(&mut self, stop: &dyn Fn() -> bool, report: &dyn Fn(Report)) {
        while !stop() && !self.local.halted.get() {
            match self.turn(report).await {
                Turn::Again => yield_now().await,
                Turn::Rest(pause) => {
                    let local = self.local.clone();
                    or(local.clock.sleep(pause), local.shared.dealer_woken()).await;
                }
            }
        }
    }

    /// Does what is most urgent.
    pub(super) async fn turn(&mut self, report: &dyn Fn(Report)) -> Turn {
        match is_master(&self.local.store).await {
            Ok(true) => {}
            Ok(false) => return self.look(report).await,
            Err(error) => {
                self.failed("look for the master flag", error.into(), report);
                return Turn::Rest(RETRY_AFTER);
            }
        }
        let begun = self.local.clock.now().mono;
        let dealt = begun >= self.deal_from && self.deal(report).await;
        let spent = self.local.clock.now().mono.since(begun);
        let sorted = self.sort(if dealt { spent } else { Duration::ZERO }, report).await;
        let cleaned = self.local.clock.now().mono >= self.clean_from && self.clean(report).await;
        if dealt || sorted || cleaned { Turn::Again } else { Turn::Rest(LOOK_EVERY) }
    }

    /// One turn of a process that deals nothing.
    pub(super) async fn look_and_rest(&mut self, report: &dyn Fn(Report)) {
        if let Turn::Rest(pause) = self.look(report).await {
            let local = self.local.clone();
            or(local.clock.sleep(pause), local.shared.dealer_woken()).await;
        }
    }

    /// Looks what waits to be dealt, and does nothing about it.
    async fn look(&mut self, report: &dyn Fn(Report)) -> Turn {
        let sealed = self.local.shared.ledger.sealed();
        match self.dealer.look().await {
            Ok(waiting) => {
                count_lag(&self.local.shared, sealed, self.dealer.lag());
                self.stands(waiting, report);
                Turn::Rest(LOOK_EVERY)
            }
            Err(error) => {
                self.local.failed("look what waits to be dealt", error, report);
                Turn::Rest(RETRY_AFTER)
            }
        }
    }

    /// Deals an epoch; whether there was one.
    async fn deal(&mut self, report: &dyn Fn(Report)) -> bool {
        let shared = self.local.shared.clone();
        let sealed = shared.ledger.sealed();
        let looked = |lag| count_lag(&shared, sealed, lag);
        let outcome = self.dealer.deal_next_telling(&shared.deletions, &looked).await;
        for (code, segments) in self.dealer.take_unsorted() {
            self.local.backlog.borrow_mut().add(&code, segments, 0);
        }
        if matches!(outcome, Ok(Outcome::Dealt(_))) {
            promise(&shared, sealed, self.dealer.lag());
        }
        self.tell_strays(report);
        if let Ok(outcome) = &outcome {
            if self.failing.worked() {
                report(Report::DealingWorks);
            }
            self.judge(outcome, report);
        }
        match outcome {
            Ok(Outcome::Dealt(dealt)) => {
                self.unblock(report);
                self.account(&dealt);
                report(Report::Dealt(dealt));
                true
            }
            Ok(Outcome::Nothing) => {
                self.unblock(report);
                false
            }
            Ok(Outcome::NoRoom { .. }) => {
                self.unblock(report);
                false
            }
            Ok(Outcome::Blocked { epoch, corruption }) => {
                // What was only just being written looks damaged once, not twice.
                let again = self.blocked.as_ref().is_some_and(|block| block.corruption == corruption);
                let told = again && self.blocked.as_ref().is_some_and(|block| block.told);
                if again && !told {
                    self.local.shared.stats.blocked.set(1);
                    report(Report::Blocked { epoch, corruption: corruption.clone() });
                }
                self.blocked = Some(Block { corruption, told: again });
                self.deal_from = self.local.clock.now().mono + if again { RETRY_AFTER } else { LOOK_EVERY };
                false
            }
            Err(error) => {
                self.deal_from = self.local.clock.now().mono + RETRY_AFTER;
                self.failed("deal", error, report);
                false
            }
        }
    }

    /// Says that a step failed without which nothing is dealt.
    fn failed(&mut self, job: &'static str, error: Error, report: &dyn Fn(Report)) {
        if self.failing.failed() {
            report(Report::DealingFails { why: error.to_string() });
        }
        self.local.failed(job, error, report);
    }

    /// Each stray is told once, as long as it is there.
    fn tell_strays(&mut self, report: &dyn Fn(Report)) {
        let strays = self.dealer.strays();
        self.local.shared.stats.stray_epochs.set(strays.len() as u64);
        for stray in strays.iter().filter(|stray| !self.strays_told.contains(stray)) {
            report(Report::Stray(stray.clone()));
        }
        self.strays_told = strays.to_vec();
    }

    /// Says whether dealing waits for room, or for an epoch that does not become complete.
    fn judge(&mut self, outcome: &Outcome, report: &dyn Fn(Report)) {
        let room = match outcome {
            Outcome::NoRoom { needed, available, .. } => Err((*needed, *available)),
            Outcome::Dealt(_) | Outcome::Nothing | Outcome::Blocked { .. } => Ok(()),
        };
        self.local.room("deal", room, report);
        self.stands(
            match outcome {
                Outcome::Nothing => self.dealer.lag().oldest,
                Outcome::Dealt(_) | Outcome::NoRoom { .. } | Outcome::Blocked { .. } => None,
            },
            report,
        );
    }

    /// Says whether this epoch, closed and not complete, has been so for too long.
    fn stands(&mut self, waiting: Option<Epoch>, report: &dyn Fn(Report)) {
        let told = self.standing.observe(waiting, self.local.clock.now().mono);
        self.local.shared.stats.incomplete.set(u64::from(self.standing.stands()));
        match told {
            Some(Told::Stands(epoch)) => report(Report::Incomplete { epoch }),
            Some(Told::Continues) => report(Report::Complete),
            None => {}
        }
    }

    fn unblock(&mut self, report: &dyn Fn(Report)) {
        self.local.shared.stats.blocked.set(0);
        if self.blocked.take().is_some_and(|block| block.told) {
            report(Report::Unblocked);
        }
    }

    fn account(&self, dealt: &Dealt) {
        let stats = &self.local.shared.stats;
        stats.dealt_epochs.add(1);
        stats.dealt_records.add(dealt.records());
        stats.dealt_bytes.add(dealt.bytes());
        stats.dealt_segments.add(dealt.indexes.len() as u64);
        stats.deal_passes.add(dealt.passes);
        stats.deleted_records.add(dealt.deleted_records);
        stats.empty_records.add(dealt.empty_records);
        stats.rejected_records.add(dealt.rejected_records);
        stats.archived_files.add(dealt.archived_files);
        let mut backlog = self.local.backlog.borrow_mut();
        for index in &dealt.indexes {
            backlog.add(&index.code, 1, index.bytes);
        }
        stats.sort_waiting.set(backlog.len() as u64);
    }

    /// Sorts one index, and more until `time` is spent; whether there was one.
    async fn sort(&mut self, time: Duration, report: &dyn Fn(Report)) -> bool {
        let local = self.local.clone();
        let begun = local.clock.now().mono;
        let mut sorted = false;
        loop {
            let now = local.clock.now().mono;
            if local.halted.get() || now < self.sort_from || (sorted && now.since(begun) >= time) {
                return sorted;
            }
            let next = local.backlog.borrow().next(self.last_sorted.as_ref(), now);
            // If the other loop is sorting, there is a next time.
            let (Some(code), Ok(_guard)) = (next, local.sorting.try_lock()) else { return sorted };
            if !local.sort(&code, report).await {
                self.sort_from = now + RETRY_AFTER;
                return sorted;
            }
            self.last_sorted = Some(code);
            sorted = true;
        }
    }

    /// Takes away what was deleted, what is empty, and what history need not keep; whether there is more to do
    /// at once.
    async fn clean(&mut self, report: &dyn Fn(Report)) -> bool {
        let local = self.local.clone();
        // A sort of the other loop may be writing into a folder that would go. It may take long, and dealing
        // does not wait for it.
        let Ok(_guard) = local.sorting.try_lock() else { return false };
        match self.try_clean().await {
            Ok((cleaned, pruned)) => {
                let stats = &self.local.shared.stats;
                stats.cleaned_segments.add(cleaned.deleted);
                stats.cleaned_bytes.add(cleaned.bytes);
                stats.removed_indexes.add(cleaned.folders);
                stats.pruned_files.add(pruned.files);
                stats.pruned_bytes.add(pruned.bytes);
                if !cleaned.is_nothing() {
                    report(Report::Cleaned(cleaned));
                }
                if pruned.files > 0 {
                    report(Report::Pruned(pruned));
                }
                if !pruned.more {
                    self.clean_from = self.local.clock.now().mono + CLEAN_EVERY;
                }
                pruned.more
            }
            Err(error) => {
                self.clean_from = self.local.clock.now().mono + CLEAN_EVERY;
                self.local.failed("clean", error, report);
                false
            }
        }
    }

    async fn try_clean(&mut self) -> Result<(Cleaned, Pruned)> {
        let local = self.local.clone();
        if !self.trash_emptied {
            empty_trash(&local.store).await?;
            self.trash_emptied = true;
        }
        let checkpoint = local.checkpoint().await?;
        let now = local.clock.now();
        let mut cleaned = self.deleted.carry_out(&local.shared.deletions, checkpoint, now).await?;
        let empty = std::mem::take(&mut *local.empty.borrow_mut());
        for code in empty {
            cleaned.folders += u64::from(self.deleted.remove_if_empty(&code).await?);
        }
        self.history.give_up_spares().await?;
        let pruned = self.history.prune(checkpoint, now).await?;
        Ok((cleaned, pruned))
    }

    /// Deals one epoch for [`super::Background::drain`]; `None` if no complete one is left.
    pub(super) async fn drain_one(&mut self) -> Result<Option<Dealt>> {
        let outcome = self.dealer.deal_next(&self.local.shared.deletions).await?;
        match outcome {
            Outcome::Dealt(dealt) => {
                self.account(&dealt);
                Ok(Some(dealt))
            }
            Outcome::Nothing => match self.dealer.strays().first() {
                None => Ok(None),
                Some(stray) => Err(Error::Corrupt(stray.clone())),
            },
            Outcome::Blocked { corruption, .. } => Err(Error::Corrupt(corruption)),
            Outcome::NoRoom { .. } => {
                let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
                Err(DiskError::new(Verb::MakeRoomOn, self.local.store.layout().data(), full).into())
            }
        }
    }
}

/// A look at what waits, begun when so much was `sealed`, has ended.
fn count_lag(shared: &Shared, sealed: u64, lag: Lag) {
    promise(shared, sealed, lag);
    let stats = &shared.stats;
    stats.waiting_epochs.set(lag.epochs);
    stats.waiting_bytes.set(lag.bytes);
    stats.waiting_file_bytes.set(lag.file_bytes);
    stats.needed_bytes.set(lag.needed_bytes);
    stats.looks.add(1);
    stats.oldest_waiting.set(lag.oldest.map_or(0, |epoch| epoch.millis()));
    stats.checkpoint_ms.set(lag.checkpoint.millis());
}

/// Dealing what waits is promised room.
fn promise(shared: &Shared, sealed: u64, lag: Lag) {
    shared.ledger.saw(sealed, lag.sealed_needed_bytes, lag.epoch_needed_bytes);
}
