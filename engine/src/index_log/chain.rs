//! What segments an index has, and what follows what.
//!
//! A recovery applies the newest optimized segment, then the sorted and unsorted ones that it does not cover,
//! by time. The rest is *superseded*: an older optimized segment, what a newer one covers, and inputs of a
//! merge whose result is published already (a crash came before they were removed). What a segment covers
//! stands in its sidecar; without one (the original's trees) the name must do: an optimized segment covers
//! everything of its time or earlier, a sorted one its own time. Counting too little as covered is harmless:
//! a stretch that is applied again, up to at least where it ended before, changes nothing.

use std::path::{Path, PathBuf};

use super::index_store::Bounds;
use crate::error::{Corruption, Result};
use crate::format::index::{EpochRange, HEADER_BYTES, SidecarHeader};
use crate::format::names::{self, SegmentKind, SegmentName};
use crate::ids::{Epoch, IndexCode};
use crate::io::buffers::AlignedBuf;
use crate::io::disk::{Disk, DiskFile, DiskResult, EntryKind, Transfer};
use crate::mutant::{bug, or_bug};
use crate::store::Store;

/// A segment that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainSegment {
    /// Its name.
    pub name: SegmentName,
    /// Length of its file.
    pub bytes: u64,
    /// The epochs that are merged in it.
    pub epochs: EpochRange,
    /// Whether those are only what its name tells, because no intact sidecar says more.
    pub inferred: bool,
}

/// The segments of one index as they were at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    /// Where a recovery begins, if the index was ever optimized.
    pub optimized: Option<ChainSegment>,
    /// Sorted segments that the optimized one does not cover, by time.
    pub sorted: Vec<ChainSegment>,
    /// Unsorted segments that no other covers, by time.
    pub unsorted: Vec<ChainSegment>,
    /// What others cover, by time: of no use but to recoveries that are under way.
    pub superseded: Vec<SegmentName>,
    /// Inputs of a sort whose result is published, which a crash kept from being removed: unsorted segments
    /// that a sidecar says are merged in another. The sorter removes them. (Those that are covered only as
    /// far as names tell are among [`Self::superseded`].)
    pub leftovers: Vec<SegmentName>,
    /// Segments from before the index was deleted, by time: to be removed.
    pub deleted: Vec<SegmentName>,
    /// Segments at or after the checkpoint: the dealer is in the middle of that epoch.
    pub undealt: Vec<SegmentName>,
    /// Sidecars without a segment: of one that is just being published or was removed, left by a crash, or of one that is
    /// gone.
    pub orphans: Vec<PathBuf>,
    /// Segments that are gone though nothing else holds their records, each with what its sidecar tells: the index is
    /// not whole.
    pub gone: Vec<Corruption>,
}

/// How many records and segments there are, as `IndexLogInfo` reports them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordCounts {
    /// Records of the newest optimized segment.
    pub optimized: u64,
    /// Records of the segments after it.
    pub unoptimized: u64,
    /// Sorted segments after it, and one more if there are unsorted ones.
    pub unoptimized_segments: u64,
    /// Time of the newest optimized segment; zero if there is none.
    pub last_optimization: Epoch,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Listing {
    segments: Vec<SegmentName>,
    orphans: Vec<PathBuf>,
}

impl Chain {
    /// Looks at the index's folders. Those that are not there are empty.
    ///
    /// Creates nothing, and needs no lock: it lists until two listings agree, and again if a file has gone
    /// before it was looked at.
    ///
    /// # Errors
    /// The disk's.
    pub(super) async fn look<D: Disk>(store: &Store<D>, code: &IndexCode, bounds: Bounds) -> Result<Self> {
        let mut listing = list(store, code).await?;
        loop {
            let again = list(store, code).await?;
            if listing == again
                && let Some(chain) = Self::arrange(store, code, &listing, bounds).await?
            {
                return Ok(chain);
            }
            listing = again;
        }
    }

    /// The segments that a recovery applies after the optimized one, in that order.
    pub fn following(&self) -> impl Iterator<Item = &ChainSegment> {
        let mut following: Vec<_> = self.sorted.iter().chain(&self.unsorted).collect();
        following.sort_by_key(|segment| order(&segment.name));
        following.into_iter()
    }

    /// All segments that a recovery applies, in that order.
    pub fn in_order(&self) -> impl Iterator<Item = &ChainSegment> {
        self.optimized.iter().chain(self.following())
    }

    /// Whether this is the last sorted segment that the newest optimized one covers, and is named by. The cleaner
    /// removes it before all others: while it is there, nothing has been removed because of that optimized segment.
    #[must_use]
    pub fn is_witness(&self, name: SegmentName) -> bool {
        name.kind == SegmentKind::Sorted
            && self.optimized.is_some_and(|optimized| optimized.name.time == name.time)
    }

    /// Records and segments by whether they are optimized.
    #[must_use]
    pub fn record_counts(&self) -> RecordCounts {
        let following = self.sorted.iter().chain(&self.unsorted);
        RecordCounts {
            optimized: self.optimized.map_or(0, |segment| segment.name.records),
            unoptimized: following.map(|segment| segment.name.records).sum(),
            unoptimized_segments: self.sorted.len() as u64 + u64::from(!self.unsorted.is_empty()),
            last_optimization: self.optimized.map_or(Epoch::ZERO, |segment| segment.name.time),
        }
    }

    /// Whether nothing of the index is known to be gone. Who goes on all the same would serve less without a word, or
    /// merge over the hole, so that nobody could see it any more.
    ///
    /// # Errors
    /// The first segment that is gone.
    pub fn whole(&self) -> Result<(), Corruption> {
        self.gone.first().map_or(Ok(()), |gone| Err(gone.clone()))
    }

    // `None` if a file was gone when it was looked at.
    async fn arrange<D: Disk>(
        store: &Store<D>,
        code: &IndexCode,
        listing: &Listing,
        bounds: Bounds,
    ) -> DiskResult<Option<Self>> {
        let mut chain = Self { orphans: listing.orphans.clone(), ..Self::default() };
        let (optimized, rest) = chain.split(&listing.segments, bounds);
        if let Some(name) = optimized {
            chain.optimized = describe(store, code, name).await?;
            if chain.optimized.is_none() {
                return Ok(None);
            }
        }
        let mut merged: Vec<ChainSegment> = chain.optimized.into_iter().collect();
        for &name in rest.iter().filter(|name| name.kind == SegmentKind::Sorted) {
            let Some(segment) = describe(store, code, name).await? else { return Ok(None) };
            merged.push(segment);
            // An optimized segment is named by the last sorted one in it, and begins with the oldest.
            if chain.optimized.is_some_and(|optimized| name.time <= optimized.name.time) {
                chain.superseded.push(name);
            } else {
                chain.sorted.push(segment);
            }
        }
        for &name in rest.iter().filter(|name| name.kind == SegmentKind::Unsorted) {
            let covers = |segment: &&ChainSegment| match segment.name.kind {
                SegmentKind::Optimized => name.time <= segment.epochs.last,
                SegmentKind::Sorted | SegmentKind::Unsorted => segment.epochs.contains(name.time),
            };
            let merged = or_bug!(InputsStay, &merged[..], &[]);
            if merged.iter().filter(covers).any(|segment| !segment.inferred) {
                chain.leftovers.push(name);
            } else if merged.iter().any(|segment| covers(&segment)) {
                chain.superseded.push(name);
            } else {
                let Some(segment) = describe(store, code, name).await? else { return Ok(None) };
                chain.unsorted.push(segment);
            }
        }
        chain.superseded.sort_by_key(order);
        let present = Present { segments: &listing.segments, merged: &merged };
        for orphan in listing.orphans.iter().filter(|_| !bug!(GoneUnnoticed)) {
            chain.gone.extend(present.gone(store, code, orphan, bounds).await?);
        }
        Ok(Some(chain))
    }

    /// Puts aside what does not count, and what a newer optimized segment covers. Returns the newest optimized one, and the
    /// rest.
    fn split(&mut self, segments: &[SegmentName], bounds: Bounds) -> (Option<SegmentName>, Vec<SegmentName>) {
        let (mut optimized, mut rest) = (None, Vec::new());
        for &name in segments {
            if name.time < bounds.begin() {
                self.deleted.push(name);
            } else if name.time >= bounds.checkpoint {
                self.undealt.push(name);
            } else if name.kind == SegmentKind::Optimized {
                self.superseded.extend(optimized.replace(name));
            } else {
                rest.push(name);
            }
        }
        (optimized, rest)
    }
}

/// The segments that are there, and those of them that are merged of others.
struct Present<'a> {
    segments: &'a [SegmentName],
    merged: &'a [ChainSegment],
}

impl Present<'_> {
    /// The segment of a sidecar without one, if it should be there.
    async fn gone<D: Disk>(
        &self,
        store: &Store<D>,
        code: &IndexCode,
        orphan: &Path,
        bounds: Bounds,
    ) -> DiskResult<Option<Corruption>> {
        let stem = orphan.file_name().and_then(|name| name.to_str()?.strip_suffix(names::SIDECAR_SUFFIX));
        let Some(name) = stem.and_then(SegmentName::parse) else { return Ok(None) };
        let path = store.layout().segment(code, name);
        if !bounds.contain(name.time) || orphan.parent() != path.parent() {
            return Ok(None);
        }
        // One that is no good proves nothing.
        let Some(header) = read_header(store.disk(), orphan, name).await? else { return Ok(None) };
        Ok((!self.account_for(name, header.epochs)).then(|| gone(path, orphan)))
    }

    /// Whether the records of a segment that is not there stand in one that is: it was merged and removed, or was never
    /// published, and what it was to be merged of is there.
    fn account_for(&self, name: SegmentName, epochs: EpochRange) -> bool {
        let has = |kind, time| self.segments.iter().any(|there| there.kind == kind && there.time == time);
        // Another attempt of the same job.
        if has(name.kind, name.time) {
            return true;
        }
        // How far one without sidecar reaches can't be told, but not to the sorted segment that an optimized one is named by.
        let may_reach = |merged: &ChainSegment| {
            name.kind != SegmentKind::Optimized && merged.inferred && merged.name.time <= name.time
        };
        let merged = self.merged.iter().any(|merged| {
            may_reach(merged)
                || match merged.name.kind {
                    SegmentKind::Optimized => {
                        epochs.last <= merged.epochs.last || name.time <= merged.name.time
                    }
                    SegmentKind::Sorted | SegmentKind::Unsorted => {
                        name.kind != SegmentKind::Optimized
                            && merged.epochs.contains(epochs.first)
                            && merged.epochs.contains(epochs.last)
                    }
                }
        });
        let inputs = match name.kind {
            SegmentKind::Unsorted => false,
            // Removed from the first on, once it was there.
            SegmentKind::Sorted => {
                has(SegmentKind::Unsorted, epochs.first) && has(SegmentKind::Unsorted, epochs.last)
            }
            // Removed from the last on.
            SegmentKind::Optimized => has(SegmentKind::Sorted, name.time),
        };
        merged || inputs
    }
}

fn gone(path: PathBuf, sidecar: &Path) -> Corruption {
    let what = format!(
        "this segment is gone, though its sidecar {} is there and nothing else holds its records: put it back from a copy, \
         or delete the index and feed it anew; where the records may go, remove the sidecar",
        sidecar.file_name().unwrap_or_default().display()
    );
    Corruption { path, offset: 0, what }
}

// Of two segments of one time and kind, which only a crash of the original can leave, the one with more
// records was made later, from a longer stretch; so it goes last.
fn order(name: &SegmentName) -> (Epoch, SegmentKind, u64) {
    (name.time, name.kind, name.records)
}

async fn list<D: Disk>(store: &Store<D>, code: &IndexCode) -> DiskResult<Listing> {
    let mut listing = Listing::default();
    for folder in [store.layout().optimized(code), store.layout().segments(code)] {
        let entries = store.list(&folder).await?;
        let mut files: Vec<&str> = Vec::new();
        for entry in &entries {
            match entry.kind {
                EntryKind::File => files.push(&entry.name),
                EntryKind::Folder | EntryKind::Other => {}
            }
        }
        for file in &files {
            if let Some(name) = SegmentName::parse(file) {
                // A segment in the other folder would be looked for where it is not.
                if store.layout().segment(code, name).parent() == Some(&folder) {
                    listing.segments.push(name);
                }
            } else if is_orphan(file, &files) {
                listing.orphans.push(folder.join(file));
            }
        }
    }
    listing.segments.sort_by_key(order);
    Ok(listing)
}

fn is_orphan(file: &str, files: &[&str]) -> bool {
    let segment = file.strip_suffix(names::SIDECAR_SUFFIX).filter(|stem| SegmentName::parse(stem).is_some());
    segment.is_some_and(|segment| !files.contains(&segment))
}

/// What is known of one segment; `None` if it is not there (any more).
///
/// # Errors
/// The disk's.
pub(crate) async fn describe<D: Disk>(
    store: &Store<D>,
    code: &IndexCode,
    name: SegmentName,
) -> DiskResult<Option<ChainSegment>> {
    let header = match name.kind {
        // One epoch, as its name says.
        SegmentKind::Unsorted => None,
        SegmentKind::Sorted | SegmentKind::Optimized => {
            read_header(store.disk(), &store.layout().sidecar(code, name), name).await?
        }
    };
    // After the sidecar: if the segment is still there now, the sidecar was not removed with it.
    let Some(metadata) = store.disk().metadata(&store.layout().segment(code, name)).await? else {
        return Ok(None);
    };
    let epochs = header.map_or(EpochRange::only(name.time), |header| header.epochs);
    let inferred = name.kind != SegmentKind::Unsorted && header.is_none();
    Ok(Some(ChainSegment { name, bytes: metadata.len, epochs, inferred }))
}

// The header, if it is there, intact, of this segment, and knows the epochs. A damaged one is found and
// reported by whoever opens the segment; here the name is enough.
async fn read_header<D: Disk>(disk: &D, path: &Path, name: SegmentName) -> DiskResult<Option<SidecarHeader>> {
    let file = match disk.open(path, Transfer::Cached).await {
        Err(error) if error.is_not_found() => return Ok(None),
        result => result?,
    };
    let (result, buffer) = file.read_at(AlignedBuf::with_capacity(HEADER_BYTES), 0).await;
    result?;
    let header = SidecarHeader::decode(&buffer).ok();
    Ok(header
        .filter(|header| !header.inferred && header.kind == name.kind && header.epochs.contains(name.time)))
}
