//! Salvages what is whole of an index's damaged segments.
//!
//! A segment's sidecar has a checksum for each 64 KiB and says where the first record of each begins, so what is
//! whole can be found behind what is not. A new segment with that takes the damaged one's place; the damaged file
//! is kept aside.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::segment_reader::OpenSegment;
use super::segment_writer::SegmentWriter;
use super::sidecar_file::{SidecarOrigin, reread};
use super::verify::verify_index;
use crate::error::{Error, Result};
use crate::format::index::Point;
use crate::format::names::{self, SegmentName};
use crate::ids::{Epoch, IndexCode};
use crate::io::disk::{self, Disk};
use crate::limits::{Limits, SIDECAR_BLOCK_BYTES};
use crate::store::Store;
use crate::store::aside::unused;

/// One segment that was repaired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepairedSegment {
    /// The segment as it was, which is now in `aside`; or its sidecar, if the segment is whole and not the sidecar's.
    pub damaged: PathBuf,
    /// Where it is now.
    pub aside: PathBuf,
    /// What took its place; `None` if none of it was whole.
    pub name: Option<SegmentName>,
    /// Records kept.
    pub records: u64,
    /// Records gone, as far as the damaged segment's sidecar tells how many there were.
    pub lost_records: u64,
}

/// Repairs the damaged segments of an index. `aside`, on the same filesystem, is created. Nobody else may use the tree.
/// An interrupted repair is finished by repairing again. What was half dealt of `undealt` epochs is left to dealing.
///
/// # Errors
/// The disk's. What was done before stays done.
pub async fn repair_index<D: Disk>(
    store: &Store<D>,
    code: &IndexCode,
    limits: &Limits,
    undealt: &BTreeSet<Epoch>,
    aside: &Path,
) -> Result<Vec<RepairedSegment>> {
    let mut repaired = Vec::new();
    let mut paths: Vec<PathBuf> = verify_index(store, code, limits, undealt)
        .await?
        .findings
        .into_iter()
        .map(|found| found.path)
        .collect();
    paths.dedup();
    let repair = IndexRepair { store, code, aside };
    for name in paths.iter().filter_map(|path| segment_of(path)) {
        repaired.extend(repair.segment(name).await?);
    }
    Ok(repaired)
}

/// The segment that a damaged file is, or is the sidecar of.
fn segment_of(path: &Path) -> Option<SegmentName> {
    let name = path.file_name()?.to_str()?;
    SegmentName::parse(name).or_else(|| SegmentName::parse(path.file_stem()?.to_str()?))
}

/// Repairs segments of one index.
struct IndexRepair<'r, D> {
    store: &'r Store<D>,
    code: &'r IndexCode,
    aside: &'r Path,
}

impl<D: Disk> IndexRepair<'_, D> {
    /// `None` if there is nothing to report.
    async fn segment(&self, name: SegmentName) -> Result<Option<RepairedSegment>> {
        match OpenSegment::open(self.store, self.code, name).await {
            Ok(segment) => self.readable(name, segment).await,
            Err(Error::Corrupt(_)) if name.records > 0 => {
                self.set_aside(name, None, 0, name.records).await.map(Some)
            }
            Err(Error::Corrupt(_)) => Ok(None),
            // Another took it away.
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Repairs a segment that has a sidecar by which to find what is whole.
    async fn readable(&self, name: SegmentName, segment: OpenSegment<D>) -> Result<Option<RepairedSegment>> {
        if let SidecarOrigin::Damaged(_) = segment.origin() {
            // The segment itself may be whole: without its sidecar, which is made anew, only reading it tells.
            self.keep_aside(&names::sidecar_of(segment.path())).await?;
            return Ok(None);
        }
        if let Some(taken) = self.taken_whole(name, &segment).await? {
            return Ok(taken);
        }
        let header = segment.sidecar().header();
        let (epochs, records) = (header.epochs, header.records);
        let folder = disk::parent(segment.path()).to_owned();
        let mut writer = SegmentWriter::create(self.store, &folder, name.kind, name.time).await?;
        if let Err(error) = self.copy_whole(name, segment, &mut writer).await {
            writer.discard().await;
            return Err(error);
        }
        let copied = writer.records();
        let kept = if (1..records).contains(&copied) {
            Some(writer.publish(epochs).await?.name)
        } else {
            writer.discard().await;
            None
        };
        if copied == records {
            // Every record is there; what is wrong is after them, or only in the counts. Nothing is gained by a copy.
            return Ok(None);
        }
        self.set_aside(name, kept, copied, records).await.map(Some)
    }

    /// Puts a damaged segment aside, in whose place `kept` is already: for a moment both are there, and whoever reads says
    /// that one is damaged. Of its `expected` records, `records` are kept.
    async fn set_aside(
        &self,
        name: SegmentName,
        kept: Option<SegmentName>,
        records: u64,
        expected: u64,
    ) -> Result<RepairedSegment> {
        let damaged = self.store.layout().segment(self.code, name);
        self.keep_aside(&names::sidecar_of(&damaged)).await?;
        let aside = self.keep_aside(&damaged).await?;
        let lost_records = expected.saturating_sub(records);
        Ok(RepairedSegment { damaged, aside, name: kept, records, lost_records })
    }

    /// A segment of which no block is what its sidecar says, but which reads as exactly the records that its name says, is
    /// another file than the sidecar's: the original writes an optimized segment anew under the same name. The sidecar goes
    /// aside, and is made anew. `None` if that is not so; of records that were only written in another order there is nothing
    /// to report.
    async fn taken_whole(
        &self,
        name: SegmentName,
        segment: &OpenSegment<D>,
    ) -> Result<Option<Option<RepairedSegment>>> {
        let Some(made) = reread(self.store.disk(), segment.path(), name).await? else { return Ok(None) };
        let same = made.written_anew(segment.sidecar()).is_some();
        if !same && !made.shares_nothing_with(segment.sidecar()) {
            return Ok(None);
        }
        let damaged = names::sidecar_of(segment.path());
        let aside = self.keep_aside(&damaged).await?;
        let records = made.header().records;
        let told = RepairedSegment { damaged, aside, name: Some(name), records, lost_records: 0 };
        Ok(Some((!same).then_some(told)))
    }

    /// Copies every record that lies in blocks whose checksum is right.
    async fn copy_whole(
        &self,
        name: SegmentName,
        segment: OpenSegment<D>,
        writer: &mut SegmentWriter<D>,
    ) -> Result<()> {
        let points: Vec<Point> = segment.sidecar().points().collect();
        let mut segment = Some(segment);
        let mut from = Point::START;
        // What was copied ends here: a record is taken once.
        let mut copied = 0;
        loop {
            let open = match segment.take() {
                Some(segment) => segment,
                None => OpenSegment::open(self.store, self.code, name).await?,
            };
            let mut stream = open.records(from, SIDECAR_BLOCK_BYTES);
            let damage = loop {
                match stream.advance().await {
                    Ok(true) => {
                        writer.push(stream.bytes(), stream.docid()).await?;
                        copied = stream.offset() + stream.bytes().len() as u64;
                    }
                    Ok(false) => return Ok(()),
                    Err(Error::Corrupt(damage)) => break damage,
                    Err(error) => return Err(error),
                }
            };
            let behind = damage.offset.max(copied).max(from.offset);
            match points.iter().find(|point| point.offset > behind) {
                Some(point) => from = *point,
                None => return Ok(()),
            }
        }
    }

    /// Moves a file to `aside/CODE/`, durably; a file that is not there is no error.
    async fn keep_aside(&self, path: &Path) -> Result<PathBuf> {
        let store = self.store;
        let folder = self.aside.join(self.code.as_str());
        store.create_folder(self.aside).await?;
        store.create_folder(&folder).await?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let to = unused(store, &folder, &name).await?;
        store.rename(path, &to).await?;
        store.disk().sync_folder(&folder).await?;
        store.disk().sync_folder(disk::parent(path)).await?;
        Ok(to)
    }
}
