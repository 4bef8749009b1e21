//! Verifying an index: each byte of each segment against its sidecar, and what the records must be.

use std::collections::BTreeSet;

use crate::deletions;
use crate::error::{Corruption, Error, Result};
use crate::format::checkpoint::Checkpoint;
use crate::format::index::Point;
use crate::format::names::{SegmentKind, SegmentName};
use crate::ids::{Epoch, IndexCode};
use crate::io::disk::{Disk, EntryKind};
use crate::limits::Limits;
use crate::store::Store;

use super::docid;
use super::index_store::{Bounds, IndexStore};
use super::kway;
use super::segment_reader::OpenSegment;

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Segments that were read.
    pub segments: u64,
    /// Records that were read.
    pub records: u64,
    /// Bytes that were read.
    pub bytes: u64,
    /// What is wrong: nothing, if all is well.
    pub findings: Vec<Corruption>,
}

/// Reads every segment of an index, also superseded ones, and checks each block against the sidecar, that the
/// file ends where it should, that the records are as many as the name says, and, in sorted and optimized
/// segments, ordered by docid, each once; also that no segment is gone that only its sidecar knows of. Changes nothing. A segment that vanishes meanwhile is passed over,
/// and so are unsorted ones of `undealt` epochs ([`crate::jobs::dealer::undealt`]): what a dealing that did not end left of
/// them may be half a segment, counts for nobody, and goes before that epoch is dealt again.
///
/// # Errors
/// The disk's; damage is not an error here but a finding.
pub async fn verify_index<D: Disk>(
    store: &Store<D>,
    code: &IndexCode,
    limits: &Limits,
    undealt: &BTreeSet<Epoch>,
) -> Result<Verified> {
    let mut verified = Verified::default();
    for folder in [store.layout().optimized(code), store.layout().segments(code)] {
        let entries = store.list(&folder).await?;
        for entry in entries {
            let Some(name) = SegmentName::parse(&entry.name).filter(|_| entry.kind == EntryKind::File) else {
                continue;
            };
            if name.kind == SegmentKind::Unsorted && undealt.contains(&name.time) {
                continue;
            }
            match verify_segment(store, code, name, limits, &mut verified).await {
                Ok(()) => {}
                Err(Error::Corrupt(corruption)) => verified.findings.push(corruption),
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error),
            }
        }
    }
    verified.findings.extend(gone(store, code).await?);
    Ok(verified)
}

/// Segments that only their sidecars know of. Where the checkpoint or the deletion can't be read, nothing can be said; who
/// reads those reports it.
async fn gone<D: Disk>(store: &Store<D>, code: &IndexCode) -> Result<Vec<Corruption>> {
    let checkpoint = Checkpoint::read(store).await?.next();
    let deletion = deletions::load_one(store, code).await;
    match (checkpoint, deletion) {
        (Ok(checkpoint), Ok(deletion)) => {
            let bounds = Bounds { checkpoint, deletion };
            Ok(IndexStore::new(store, code, bounds).chain().await?.gone)
        }
        (Err(Error::Corrupt(_)), _) | (_, Err(Error::Corrupt(_))) => Ok(Vec::new()),
        (Err(error), _) | (_, Err(error)) => Err(error),
    }
}

async fn verify_segment<D: Disk>(
    store: &Store<D>,
    code: &IndexCode,
    name: SegmentName,
    limits: &Limits,
    verified: &mut Verified,
) -> Result<()> {
    let segment = OpenSegment::open(store, code, name).await?;
    let header = *segment.sidecar().header();
    verified.segments += 1;
    verified.bytes += header.bytes;
    verified.findings.extend(segment.finding(name));
    let damaged = verified.findings.len();
    let chunk_bytes = kway::chunk_bytes(limits, 2);
    segment.verify_blocks(chunk_bytes, &mut verified.findings).await?;
    if verified.findings.len() > damaged {
        // Each damaged block is listed; the records behind the first can't be found.
        return Ok(());
    }
    let ordered = name.kind != SegmentKind::Unsorted;
    let mut stream = segment.records(Point::START, chunk_bytes);
    let mut records = 0;
    let mut before: Option<Vec<u8>> = None;
    while stream.advance().await? {
        records += 1;
        verified.records += 1;
        if ordered {
            if before.as_ref().is_some_and(|before| docid::compare(before, stream.docid()).is_ge()) {
                return Err(stream.corrupt("the docid does not come after the one before"));
            }
            let before = before.get_or_insert_default();
            before.clear();
            before.extend_from_slice(stream.docid());
        }
    }
    if records != header.records {
        return Err(stream.corrupt("it holds another number of records than its sidecar says"));
    }
    Ok(())
}
