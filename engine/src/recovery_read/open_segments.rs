//! Segments that recoveries are in the middle of, kept open from one page to the next.
//!
//! Only for speed: the sidecar of a long segment is long, too. A segment never changes, so what is kept here is
//! as good as what a fresh look would find; one that is removed meanwhile is given up soon.

use std::cell::RefCell;
use std::time::Duration;

use crate::error::Result;
use crate::format::names::SegmentName;
use crate::ids::IndexCode;
use crate::index_log::segment_reader::OpenSegment;
use crate::index_log::sidecar_file::{self, SidecarOrigin};
use crate::io::disk::Disk;
use crate::store::Store;
use crate::time::MonoNanos;

/// Segments kept at most.
const KEPT_MAX: usize = 16;
/// How long one is kept without being read.
const IDLE_MAX: Duration = Duration::from_secs(60);

pub(super) struct OpenSegments<D: Disk>(RefCell<Vec<Kept<D>>>);

struct Kept<D: Disk> {
    code: IndexCode,
    name: SegmentName,
    segment: OpenSegment<D>,
    since: MonoNanos,
}

impl<D: Disk> OpenSegments<D> {
    pub(super) const fn new() -> Self {
        Self(RefCell::new(Vec::new()))
    }

    /// The segment, taken from those kept or opened. A sidecar that is missing is made and published, so that the
    /// next one is spared reading the whole segment.
    ///
    /// # Errors
    /// The disk's ("not found" if the segment has gone), or corruption.
    pub(super) async fn take(
        &self,
        store: &Store<D>,
        code: &IndexCode,
        name: SegmentName,
    ) -> Result<OpenSegment<D>> {
        if let Some(segment) = self.take_kept(code, name) {
            return Ok(segment);
        }
        if store.disk().metadata(&store.layout().sidecar(code, name)).await?.is_none() {
            // Reading goes on without it, for instance when the drive is full.
            drop(sidecar_file::rebuild_sidecar(store, code, name).await);
        }
        let segment = OpenSegment::open(store, code, name).await?;
        if *segment.origin() == SidecarOrigin::Outdated {
            drop(sidecar_file::replace_outdated(store, code, name, segment.sidecar()).await);
        }
        Ok(segment)
    }

    /// The segment, if it is one of those kept.
    pub(super) fn take_kept(&self, code: &IndexCode, name: SegmentName) -> Option<OpenSegment<D>> {
        let mut all = self.0.borrow_mut();
        let at = all.iter().position(|kept| kept.code == *code && kept.name == name)?;
        Some(all.swap_remove(at).segment)
    }

    /// Keeps a segment of which there is more to read.
    pub(super) fn keep(&self, code: &IndexCode, name: SegmentName, segment: OpenSegment<D>, now: MonoNanos) {
        let mut all = self.0.borrow_mut();
        all.push(Kept { code: code.clone(), name, segment, since: now });
        if all.len() > KEPT_MAX {
            let oldest = (0..all.len()).min_by_key(|&at| all[at].since).expect("it is not empty");
            all.swap_remove(oldest);
        }
    }

    /// Closes those that were not read for a minute.
    pub(super) fn release_idle(&self, now: MonoNanos) {
        self.0.borrow_mut().retain(|kept| now.since(kept.since) < IDLE_MAX);
    }
}
