//! Removes segments that others cover, once nobody has read the index for a while: a recovery under way may
//! still be in the middle of one.

use std::path::PathBuf;
use std::time::Duration;

use super::Cleaned;
use super::files::{Files, remove_segment, sync_folders};
use super::idle::Idle;
use crate::error::{Corruption, Result};
use crate::format::names::{SegmentKind, SegmentName, sidecar_of};
use crate::ids::IndexCode;
use crate::index_log::index_store::{Bounds, IndexStore};
use crate::io::disk::{Disk, DiskResult};
use crate::jobs::config::JobsConfig;
use crate::jobs::optimizer::is_worth;
use crate::jobs::sorter::needs_sort;
use crate::store::Store;
use crate::time::{MonoNanos, WallMillis};

/// Temporary files and sidecars without a segment belong to a job that runs, unless they are there so long.
const STRAY: Duration = Duration::from_secs(60 * 60);

/// What a visit to an index found.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Visit {
    /// What was removed.
    pub cleaned: Cleaned,
    /// How much optimizing the index is worth, if it is.
    pub worth: Option<f64>,
    /// There is enough to sort; or a sort that a crash ended left something that the sorter removes.
    pub wants_sort: bool,
    /// Segments that are gone, though nothing else holds their records.
    pub gone: Vec<Corruption>,
    /// There is nothing in its folders, and nobody has read it for a while.
    pub empty: bool,
}

/// Visits indexes one by one.
#[derive(Debug)]
pub(crate) struct Superseded<D> {
    store: Store<D>,
    unread: Duration,
    sort_segments_max: usize,
    last_reads: Idle<IndexCode, Option<WallMillis>>,
    strays: Idle<PathBuf, ()>,
}

impl<D: Disk> Superseded<D> {
    /// Removes what is superseded when an index was unread for so long as `config` says.
    #[must_use]
    pub(crate) fn new(store: Store<D>, config: &JobsConfig) -> Self {
        let (unread, sort_segments_max) = (config.unread_before_clean, config.sort_segments_max);
        Self { store, unread, sort_segments_max, last_reads: Idle::new(), strays: Idle::new() }
    }

    /// Looks at one index, removes what may go, and tells what else there is to do. The first visit after a
    /// start should be `thorough`: then it does not rely on names where a crash may have been.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) async fn visit(
        &mut self,
        code: &IndexCode,
        bounds: Bounds,
        thorough: bool,
        now: MonoNanos,
    ) -> Result<Visit> {
        let files = Files::list(&self.store, code).await?;
        let mut visit = Visit::default();
        if files == Files::default() {
            self.remove_strays(&files, code, now, &mut visit).await?;
            visit.empty = self.is_unread(code, now).await?;
            return Ok(visit);
        }
        // The names alone say for nearly all indexes that there is nothing to do.
        if !(thorough
            || !files.strays.is_empty()
            || may_be_superseded(&files.segments)
            || may_be_worth(&files.segments))
        {
            self.remove_strays(&files, code, now, &mut visit).await?;
            self.last_reads.forget(code);
            return Ok(visit);
        }
        let chain = IndexStore::new(&self.store, code, bounds).chain().await?;
        visit.gone.clone_from(&chain.gone);
        self.remove_strays(&files, code, now, &mut visit).await?;
        visit.worth = is_worth(&chain);
        // The process before may have ended when the sort was due: what it had counted went with it.
        visit.wants_sort = !chain.leftovers.is_empty() || needs_sort(&chain, self.sort_segments_max);
        if chain.superseded.is_empty() {
            self.last_reads.forget(code);
        } else if self.is_unread(code, now).await? {
            // The last segment that the newest optimized one covers goes first, and durably: as long as it is
            // there, a recovery under way knows that the others are, too.
            let (first, rest): (Vec<SegmentName>, Vec<SegmentName>) =
                chain.superseded.iter().partition(|name| chain.is_witness(**name));
            for names in [first, rest] {
                // The segments that cover them may be visible and not durable yet.
                sync_folders(&self.store, code).await?;
                for name in names {
                    if let Some(bytes) = remove_segment(&self.store, code, name).await? {
                        visit.cleaned.superseded += 1;
                        visit.cleaned.bytes += bytes;
                    }
                }
            }
        }
        Ok(visit)
    }

    /// Forgets what it has seen of indexes that are not there any more, for which `there` is false.
    pub(crate) fn retain(&mut self, there: impl Fn(&IndexCode) -> bool) {
        self.last_reads.retain(&there);
        let indexes = self.store.layout().indexes();
        let code = |path: &PathBuf| {
            let name = path.strip_prefix(&indexes).ok()?.iter().next()?;
            IndexCode::new(name.as_encoded_bytes()).ok()
        };
        self.strays.retain(|path| code(path).is_some_and(|code| there(&code)));
    }

    async fn is_unread(&mut self, code: &IndexCode, now: MonoNanos) -> DiskResult<bool> {
        let metadata = self.store.disk().metadata(&self.store.layout().last_read(code)).await?;
        let last_read = metadata.map(|metadata| metadata.modified);
        Ok(self.last_reads.observe(code.clone(), last_read, now) >= self.unread)
    }

    async fn remove_strays(
        &mut self,
        files: &Files,
        code: &IndexCode,
        now: MonoNanos,
        visit: &mut Visit,
    ) -> DiskResult<()> {
        let folder = self.store.layout().index(code);
        self.strays.retain(|path| !path.starts_with(&folder) || files.strays.contains(path));
        // The only trace of a segment that is gone stays.
        let of_gone = |path: &PathBuf| visit.gone.iter().any(|gone| sidecar_of(&gone.path) == *path);
        let strays: Vec<&PathBuf> = files.strays.iter().filter(|path| !of_gone(path)).collect();
        let due: Vec<&PathBuf> = strays
            .into_iter()
            .filter(|path| self.strays.observe((*path).clone(), (), now) >= STRAY)
            .collect();
        if due.is_empty() {
            return Ok(());
        }
        // A sidecar goes only once its segment is gone for good.
        sync_folders(&self.store, code).await?;
        for path in due {
            visit.cleaned.leftovers += u64::from(self.store.remove(path).await?);
            self.strays.forget(path);
        }
        Ok(())
    }
}

/// Whether the names hint at it. (They don't tell what a sort that a crash ended left behind: a thorough visit
/// finds that.)
fn may_be_superseded(segments: &[SegmentName]) -> bool {
    let of = |kind| segments.iter().filter(move |name| name.kind == kind);
    let optimized = of(SegmentKind::Optimized).max();
    let by_optimized = optimized
        .is_some_and(|newest| segments.iter().any(|name| name != newest && name.time <= newest.time));
    let mut sorted = of(SegmentKind::Sorted);
    by_optimized || sorted.any(|sorted| of(SegmentKind::Unsorted).any(|name| name.time == sorted.time))
}

/// Five segments are worth optimizing, of which all unsorted ones count as one.
fn may_be_worth(segments: &[SegmentName]) -> bool {
    segments.iter().filter(|name| name.kind == SegmentKind::Sorted).count() >= 4
}
