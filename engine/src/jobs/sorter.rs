//! Sorting: the unsorted segments of an index become one sorted segment, then they are removed.
//!
//! A crash at any step is repaired by running again. Before the sorted segment has its name, nothing has
//! changed (a temporary file or an orphan sidecar is left). From then on its sidecar says which epochs are
//! merged in it, so its inputs are known to be leftovers, whichever of them are still there: they are neither
//! read nor sorted again, but removed.

use crate::error::{Corruption, Result};
use crate::format::names::{self, SegmentKind, SegmentName};
use crate::index_log::chain::{Chain, ChainSegment};
use crate::index_log::counts::MergeCounts;
use crate::index_log::index_store::IndexStore;
use crate::index_log::runs::Unsorted;
use crate::index_log::segment_writer::SegmentWriter;
use crate::io::disk::Disk;
use crate::limits::{Limits, SORT_BYTES_MAX};
use crate::mutant::or_bug;

/// What a sort did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sorted {
    /// The sorted segments that were published: one, or none if nothing was unsorted. (More only if unsorted
    /// segments lay between sorted ones, as after a repair by hand.)
    pub published: Vec<SegmentName>,
    /// What was read.
    pub counts: MergeCounts,
    /// Damage that was found and did no harm; to be reported.
    pub findings: Vec<Corruption>,
}

/// Whether the index has so many unsorted segments, or so long ones, that it should be sorted.
#[must_use]
pub(crate) fn needs_sort(chain: &Chain, segments_max: usize) -> bool {
    let bytes: u64 = chain.unsorted.iter().map(|segment| segment.bytes).sum();
    chain.unsorted.len() > segments_max || bytes > SORT_BYTES_MAX
}

/// What sorting the index may take of the drive at most, before it gives back what its inputs take.
#[must_use]
pub(crate) fn needed_to_sort(chain: &Chain, limits: &Limits) -> u64 {
    let bytes: u64 = chain.unsorted.iter().map(|segment| segment.bytes).sum();
    // What does not fit into memory becomes runs first.
    let copies = if bytes > limits.job_bytes_max as u64 / 2 { 2 } else { 1 };
    bytes.saturating_mul(copies)
}

/// See [`IndexStore::sort`].
pub(super) async fn sort<D: Disk>(index: &IndexStore<'_, D>, limits: &Limits) -> Result<Sorted> {
    let chain = index.chain().await?;
    chain.whole()?;
    let mut sorted = Sorted::default();
    if !chain.leftovers.is_empty() {
        // The name that makes them leftovers may have been seen without being durable.
        index.store().disk().sync_folder(&index.store().layout().segments(index.code())).await?;
        remove_sorted(index, &chain.leftovers).await?;
    }
    let following: Vec<&ChainSegment> = chain.following().collect();
    let unsorted = |segment: &&ChainSegment| segment.name.kind == SegmentKind::Unsorted;
    for stretch in
        following.chunk_by(|a, b| unsorted(a) && unsorted(b)).filter(|stretch| unsorted(&stretch[0]))
    {
        sort_stretch(index, stretch, limits, &mut sorted).await?;
    }
    Ok(sorted)
}

async fn sort_stretch<D: Disk>(
    index: &IndexStore<'_, D>,
    stretch: &[&ChainSegment],
    limits: &Limits,
    sorted: &mut Sorted,
) -> Result<()> {
    let (store, code) = (index.store(), index.code());
    let names: Vec<SegmentName> = stretch.iter().map(|segment| segment.name).collect();
    let epochs =
        stretch.iter().map(|segment| segment.epochs).reduce(|a, b| a.joined(b)).expect("it is not empty");
    let folder = store.layout().segments(code);
    let mut target = SegmentWriter::create(store, &folder, SegmentKind::Sorted, epochs.first).await?;
    let input = Unsorted { store, code, names: &names, limits };
    if let Err(error) = input.merge_into(&mut target, &mut sorted.counts, &mut sorted.findings).await {
        target.discard().await;
        return Err(error);
    }
    or_bug!(InputsFirst, (), remove_sorted(index, &names).await?);
    sorted.published.push(target.publish(epochs).await?.name);
    remove_sorted(index, &names).await
}

/// Removes inputs of a sort, durably.
async fn remove_sorted<D: Disk>(index: &IndexStore<'_, D>, names: &[SegmentName]) -> Result<()> {
    let store = index.store();
    for &name in names {
        let path = store.layout().segment(index.code(), name);
        store.remove(&path).await?;
        // After its segment: a sidecar alone is recognized as an orphan.
        store.remove(&names::sidecar_of(&path)).await?;
    }
    Ok(store.disk().sync_folder(&store.layout().segments(index.code())).await?)
}
