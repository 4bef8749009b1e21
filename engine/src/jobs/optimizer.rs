//! Optimizing: the newest optimized segment and the sorted ones after it become a new optimized one.
//!
//! Nothing is removed here: the new segment supersedes what went into it, and the cleaner removes that when
//! no recovery can need it any more. A crash leaves the index as it was, or optimized.

use crate::error::{Corruption, Result};
use crate::format::index::{EpochRange, Point};
use crate::format::names::SegmentKind;
use crate::index_log::chain::{Chain, ChainSegment};
use crate::index_log::counts::MergeCounts;
use crate::index_log::index_store::IndexStore;
use crate::index_log::kway;
use crate::index_log::merge::Rule;
use crate::index_log::segment_reader::OpenSegment;
use crate::index_log::segment_writer::{Published, SegmentWriter};
use crate::io::disk::Disk;
use crate::limits::{Limits, OPTIMIZE_SEGMENTS_MAX};
use crate::mutant::or_bug;
use crate::room::ledger::Promise;

/// What an optimization did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Optimized {
    /// The optimized segment; `None` if there was no sorted segment to merge.
    pub published: Option<Published>,
    /// How many segments were merged into it.
    pub segments: usize,
    /// What was read.
    pub counts: MergeCounts,
    /// Damage that was found and did no harm; to be reported.
    pub findings: Vec<Corruption>,
}

/// Segments that may be unoptimized before it is worth to optimize.
const WORTH_SEGMENTS: u64 = 4;
/// Share of the optimized records that may be unoptimized before it is worth to optimize.
const WORTH_RATIO: f64 = 0.1;
/// An index can't score by more than this for each segment: one that was never optimized doesn't push out all
/// others.
const RATIO_MAX: f64 = 2.0;

/// How much optimizing the index is worth, if it is: it has more than 4 unoptimized segments, whose records
/// are more than 10 % of the optimized ones. The score is their ratio, at most 2 (and 2 if nothing is
/// optimized), times the segments.
#[must_use]
pub(crate) fn is_worth(chain: &Chain) -> Option<f64> {
    let counts = chain.record_counts();
    #[expect(clippy::cast_precision_loss, reason = "a score need not be exact")]
    let ratio = match (counts.unoptimized, counts.optimized) {
        (0, _) => 0.0,
        (_, 0) => RATIO_MAX,
        (unoptimized, optimized) => (unoptimized as f64 / optimized as f64).min(RATIO_MAX),
    };
    #[expect(clippy::cast_precision_loss, reason = "an index has few segments")]
    let score = ratio * counts.unoptimized_segments as f64;
    (counts.unoptimized_segments > WORTH_SEGMENTS && ratio > WORTH_RATIO).then_some(score)
}

/// What optimizing the index may take of the drive at most: its inputs stay until no recovery can need them any more.
#[must_use]
pub(crate) fn needed_to_optimize(chain: &Chain, limits: &Limits) -> u64 {
    let inputs = choose(chain, OPTIMIZE_SEGMENTS_MAX.min(kway::fan_in_max(limits)));
    inputs.iter().map(|segment| segment.bytes).sum()
}

/// See [`IndexStore::optimize`].
pub(super) async fn optimize<D: Disk>(
    index: &IndexStore<'_, D>,
    limits: &Limits,
    promise: Option<Promise>,
) -> Result<Optimized> {
    let (store, code) = (index.store(), index.code());
    let chain = index.chain().await?;
    chain.whole()?;
    let inputs = choose(&chain, OPTIMIZE_SEGMENTS_MAX.min(kway::fan_in_max(limits)));
    let Some(last) = inputs.last().filter(|last| last.name.kind == SegmentKind::Sorted) else {
        return Ok(Optimized::default());
    };
    let skip = or_bug!(OptimizeSkipsOldest, 0, usize::from(inputs.len() > 2));
    let inputs = &inputs[skip..];
    // A deletion may only be dropped if nothing lies before it.
    assert!(
        chain.in_order().skip(skip).zip(inputs).all(|(a, b)| a == b),
        "optimizing begins with the oldest segment"
    );
    let epochs = EpochRange { first: inputs[0].epochs.first, last: last.epochs.last };

    let mut optimized = Optimized { segments: inputs.len(), ..Optimized::default() };
    let mut streams = Vec::with_capacity(inputs.len());
    for input in inputs {
        let segment = OpenSegment::open(store, code, input.name).await?;
        optimized.findings.extend(segment.finding(input.name));
        streams.push(segment.records(Point::START, kway::chunk_bytes(limits, inputs.len())));
    }
    let folder = store.layout().optimized(code);
    store.create_folder(&folder).await?;
    let mut target = SegmentWriter::create(store, &folder, SegmentKind::Optimized, last.name.time).await?;
    target.takes_of(promise);
    let merged = kway::merge_streams(streams, Rule::Optimize, &mut target, &mut optimized.counts);
    if let Err(error) = merged.await {
        target.discard().await;
        return Err(error);
    }
    optimized.published = Some(target.publish(epochs).await?);
    Ok(optimized)
}

// The optimized segment and the sorted ones that follow it without an unsorted one between, but at most
// `most`; more only to keep together what has the same time, since the result is named by it.
fn choose(chain: &Chain, most: usize) -> Vec<ChainSegment> {
    let mut inputs: Vec<ChainSegment> = Vec::new();
    for segment in chain.in_order().take_while(|segment| segment.name.kind != SegmentKind::Unsorted) {
        let same_time = inputs.last().is_some_and(|last| last.name.time == segment.name.time);
        if inputs.len() >= most && !same_time {
            break;
        }
        inputs.push(*segment);
    }
    inputs
}
