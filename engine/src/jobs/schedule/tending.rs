//! The loop that optimizes, and walks over all indexes to clean them and to find what is worth optimizing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use futures_lite::future::{or, yield_now};

use super::background::Turn;
use super::local::Local;
use crate::error::{Corruption, DiskError, Result, Verb};
use crate::foreign;
use crate::ids::IndexCode;
use crate::index_log::index_store::{Bounds, IndexStore};
use crate::io::disk::{Disk, EntryKind};
use crate::jobs::cleaner::{Cleaned, Superseded};
use crate::jobs::config::JobsConfig;
use crate::jobs::optimizer::needed_to_optimize;
use crate::jobs::queue::{DISCOVERY_PRIORITY, Urgency};
use crate::jobs::report::Report;
use crate::roles::is_master;
use crate::room::ledger::Promise;
use crate::time::{Clock, MonoNanos};

/// Between the beginnings of two walks over all indexes.
const WALK_EVERY: Duration = Duration::from_secs(25);
/// Indexes visited in one go; then what waits for its optimization has its turn.
const STRIDE: usize = 1_000;
/// Between two strides of a long walk.
const STRIDE_PAUSE: Duration = Duration::from_secs(1);
/// Between two tries to sort, while the other loop does.
const SORTING_PAUSE: Duration = Duration::from_secs(1);
/// Between two reports of one index that there is no room to optimize.
const TELL_EVERY: Duration = Duration::from_secs(3600);
/// Optimizations of one index in a row: each takes in 39 sorted segments.
const ROUNDS_MAX: usize = 100;

/// The loop that optimizes and cleans.
#[derive(Debug)]
pub(super) struct Tending<D, C> {
    local: Rc<Local<D, C>>,
    superseded: Superseded<D>,
    walk_from: MonoNanos,
    next_walk: MonoNanos,
    // What is left of the present walk.
    walk: Option<std::vec::IntoIter<IndexCode>>,
    // Segments that are gone, as the present walk met them; those that were told of.
    gone: u64,
    gone_told: BTreeSet<PathBuf>,
    foreign_told: Vec<Corruption>,
    // The first walk of a process looks behind names.
    thorough: bool,
    // Indexes that the drive has no room to optimize, and when that was told.
    unaffordable: BTreeMap<IndexCode, MonoNanos>,
}

impl<D: Disk, C: Clock> Tending<D, C> {
    pub(super) fn new(local: Rc<Local<D, C>>, config: &JobsConfig) -> Self {
        let superseded = Superseded::new(local.store.clone(), config);
        Self {
            local,
            superseded,
            walk_from: MonoNanos(0),
            next_walk: MonoNanos(0),
            walk: None,
            gone: 0,
            gone_told: BTreeSet::new(),
            foreign_told: Vec::new(),
            thorough: true,
            unaffordable: BTreeMap::new(),
        }
    }

    pub(super) async fn run(&mut self, stop: &dyn Fn() -> bool, report: &dyn Fn(Report)) {
        while !stop() && !self.local.halted.get() {
            match self.turn(report).await {
                Turn::Again => yield_now().await,
                Turn::Rest(pause) => {
                    let local = self.local.clone();
                    or(local.clock.sleep(pause), local.shared.optimizer_woken()).await;
                }
            }
        }
    }

    /// Does what is most urgent.
    pub(super) async fn turn(&mut self, report: &dyn Fn(Report)) -> Turn {
        let local = self.local.clone();
        match is_master(&local.store).await {
            Ok(true) => {}
            Ok(false) => return Turn::Rest(STRIDE_PAUSE),
            Err(error) => {
                local.failed("look for the master flag", error.into(), report);
                return Turn::Rest(WALK_EVERY);
            }
        }
        // What waits keeps its place as long as there is no room for any.
        let room = local.shared.queue.is_empty() || local.has_room("optimize", report).await;
        if room && let Some(code) = local.shared.queue.take() {
            self.optimize(&code, report).await;
            local.shared.queue.finished(&code);
            local.shared.stats.queue_length.set(local.shared.queue.len() as u64);
            return Turn::Again;
        }
        let now = local.clock.now().mono;
        if now < self.walk_from {
            return Turn::Rest(self.walk_from.since(now));
        }
        if let Err(error) = self.stride(report).await {
            local.failed("clean", error, report);
            self.walk = None;
        }
        local.shared.stats.queue_length.set(local.shared.queue.len() as u64);
        self.walk_from = if self.walk.is_some() { now + STRIDE_PAUSE } else { self.next_walk };
        if local.shared.queue.is_empty() || !room { Turn::Rest(STRIDE_PAUSE) } else { Turn::Again }
    }

    async fn optimize(&mut self, code: &IndexCode, report: &dyn Fn(Report)) {
        let local = self.local.clone();
        {
            // Not by the lock itself: the other loop may hold it for minutes, in which this one is to give signs of life.
            let _guard = loop {
                match local.sorting.try_lock() {
                    Ok(guard) => break guard,
                    Err(_) => local.clock.sleep(SORTING_PAUSE).await,
                }
            };
            local.sort(code, report).await;
        }
        match self.try_optimize(code, report).await {
            Ok(()) => {}
            // Deleted meanwhile.
            Err(error) if error.is_not_found() => {}
            Err(error) => local.index_failed("optimize", code, error, report),
        }
    }

    /// The room to optimize the index, as far as it leaves what is kept free. If it does not, that is told now and then:
    /// discovery will find the index again and again, and smaller ones have their turn meanwhile.
    async fn afford(
        &mut self,
        code: &IndexCode,
        bounds: Bounds,
        report: &dyn Fn(Report),
    ) -> Result<Option<Promise>> {
        let local = self.local.clone();
        let chain = IndexStore::new(&local.store, code, bounds).chain().await?;
        let needed = needed_to_optimize(&chain, &local.limits);
        let room = local.store.disk().space(local.store.layout().data()).await?;
        if let Some(promise) = local.promise(&room, needed) {
            self.unaffordable.remove(code);
            return Ok(Some(promise));
        }
        let now = local.clock.now().mono;
        if self.unaffordable.get(code).is_none_or(|told| now.since(*told) >= TELL_EVERY) {
            self.unaffordable.insert(code.clone(), now);
            let what = format!("{needed} bytes may be needed, {} are free", room.available_bytes);
            let full = std::io::Error::new(std::io::ErrorKind::StorageFull, what);
            let error = DiskError::new(Verb::MakeRoomFor, &local.store.layout().optimized(code), full);
            local.index_failed("optimize", code, error.into(), report);
        }
        Ok(None)
    }

    async fn try_optimize(&mut self, code: &IndexCode, report: &dyn Fn(Report)) -> Result<()> {
        let local = self.local.clone();
        for _ in 0..ROUNDS_MAX {
            if local.halted.get() {
                return Ok(());
            }
            let Some(bounds) = local.bounds(code).await? else { return Ok(()) };
            let Some(promise) = self.afford(code, bounds, report).await? else { return Ok(()) };
            let index = IndexStore::new(&local.store, code, bounds);
            let optimized = index.optimize(&local.limits, Some(promise)).await?;
            for corruption in optimized.findings {
                report(Report::Damage { code: code.clone(), corruption });
            }
            let Some(published) = optimized.published else { return Ok(()) };
            local.shared.stats.optimizations.add(1);
            report(Report::Optimized { code: code.clone(), records: published.name.records });
        }
        Ok(())
    }

    /// Goes on with the walk, or begins one.
    async fn stride(&mut self, report: &dyn Fn(Report)) -> Result<()> {
        let local = self.local.clone();
        let mut walk = match self.walk.take() {
            Some(walk) => walk,
            None => {
                self.gone = 0;
                self.tell_foreign(report).await?;
                self.next_walk = local.clock.now().mono + WALK_EVERY;
                self.indexes().await?.into_iter()
            }
        };
        let checkpoint = local.checkpoint().await?;
        let deletions = local.shared.deletions.snapshot(&local.store).await?;
        let mut cleaned = Cleaned::default();
        for code in walk.by_ref().take(STRIDE) {
            if deletions.is_unreadable(&code) {
                continue;
            }
            let bounds = Bounds { checkpoint, deletion: deletions.position(&code) };
            let now = local.clock.now().mono;
            match self.superseded.visit(&code, bounds, self.thorough, now).await {
                Ok(visit) => {
                    cleaned.add(visit.cleaned);
                    for gone in visit.gone {
                        self.gone += 1;
                        if self.gone_told.insert(gone.path.clone()) {
                            report(Report::Gone { code: code.clone(), corruption: gone });
                        }
                    }
                    if let Some(score) = visit.worth {
                        let urgency = Urgency { priority: DISCOVERY_PRIORITY, score };
                        local.shared.queue.enqueue_known(&code, urgency);
                    }
                    if visit.wants_sort {
                        local.backlog.borrow_mut().want(&code);
                    }
                    if visit.empty {
                        local.empty.borrow_mut().insert(code);
                    }
                }
                Err(error) if error.is_not_found() => {}
                Err(error) => local.index_failed("clean", &code, error, report),
            }
            if local.halted.get() {
                return Ok(());
            }
        }
        let stats = &local.shared.stats;
        stats.cleaned_segments.add(cleaned.superseded);
        stats.cleaned_bytes.add(cleaned.bytes);
        if !cleaned.is_nothing() {
            report(Report::Cleaned(cleaned));
        }
        if walk.len() > 0 {
            self.walk = Some(walk);
        } else {
            self.thorough = false;
            stats.gone_segments.set(std::mem::take(&mut self.gone));
        }
        Ok(())
    }

    /// What does not belong where it is, each told once while it is there.
    async fn tell_foreign(&mut self, report: &dyn Fn(Report)) -> Result<()> {
        let found = foreign::look(&self.local.store).await?;
        for foreign in found.iter().filter(|foreign| !self.foreign_told.contains(foreign)) {
            report(Report::Foreign(foreign.clone()));
        }
        self.foreign_told = found;
        Ok(())
    }

    async fn indexes(&mut self) -> Result<Vec<IndexCode>> {
        let entries = self.local.store.list(&self.local.store.layout().indexes()).await?;
        let folders = entries.iter().filter(|entry| entry.kind == EntryKind::Folder);
        // What has no name of an index is not ours.
        let codes: Vec<_> = folders.filter_map(|entry| IndexCode::new(entry.name.as_bytes()).ok()).collect();
        self.superseded.retain(|code| codes.binary_search(code).is_ok());
        self.unaffordable.retain(|code, _| codes.binary_search(code).is_ok());
        Ok(codes)
    }
}
