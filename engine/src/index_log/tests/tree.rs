//! An index on a disk in memory: segments are put there, jobs run, and its state is read back.

use crate::testing::store;
use std::path::Path;
use std::time::Duration;

use super::model::State;
use crate::error::Result;
use crate::format::index::EpochRange;
use crate::format::layout::Layout;
use crate::format::names::{self, SegmentKind, SegmentName};
use crate::ids::{Epoch, IndexCode};
use crate::index_log::chain::Chain;
use crate::index_log::index_store::{Bounds, IndexStore};
use crate::index_log::record::Record;
use crate::index_log::segment_reader::OpenSegment;
use crate::index_log::segment_writer::SegmentWriter;
use crate::io::disk::Disk;
use crate::jobs::cleaner::Superseded;
use crate::jobs::config::JobsConfig;
use crate::jobs::optimizer::Optimized;
use crate::jobs::sorter::Sorted;
use crate::limits::Limits;
use crate::testing::{MemDisk, run};
use crate::time::MonoNanos;

pub(super) fn epoch(millis: u64) -> Epoch {
    Epoch::new(millis).unwrap()
}

pub(super) fn code() -> IndexCode {
    IndexCode::new(b"m").unwrap()
}

pub(super) fn layout() -> Layout {
    Layout::new(Path::new("/data"), None)
}

/// Small enough that a few records spill.
pub(super) fn limits(job_bytes_max: usize) -> Limits {
    Limits { job_bytes_max, ..Limits::default() }
}

pub(super) fn encode(records: &[Record]) -> Vec<u8> {
    let mut bytes = Vec::new();
    records.iter().for_each(|record| record.write(&mut bytes));
    bytes
}

/// All records of a stretch of bytes.
pub(super) fn decode(mut bytes: &[u8]) -> Vec<Record> {
    let mut records = Vec::new();
    while !bytes.is_empty() {
        let (record, length) = logtank_wire::record::RecordView::parse(bytes).unwrap();
        records.push(Record::from_view(&record));
        bytes = &bytes[length..];
    }
    records
}

/// An index in which nothing is dealt yet.
pub(super) fn empty_index() -> MemDisk {
    let disk = MemDisk::new();
    run(disk.create_folder(&layout().segments(&code()))).unwrap();
    run(disk.create_folder(&layout().optimized(&code()))).unwrap();
    disk
}

/// Deals an epoch, as this host does.
pub(super) async fn deal<D: Disk>(disk: &D, time: Epoch, records: &[Record]) -> Result<SegmentName> {
    let folder = layout().segments(&code());
    let mut writer =
        SegmentWriter::create(&store(disk, &layout()), &folder, SegmentKind::Unsorted, time).await?;
    let mut bytes = Vec::new();
    for record in records {
        bytes.clear();
        record.write(&mut bytes);
        writer.push(&bytes, &record.docid).await?;
    }
    Ok(writer.publish(EpochRange::only(time)).await?.name)
}

/// Deals an epoch, as the original does: no sidecar.
pub(super) fn deal_legacy(disk: &MemDisk, time: Epoch, records: &[Record]) -> SegmentName {
    let name = SegmentName { time, kind: SegmentKind::Unsorted, records: records.len() as u64 };
    disk.put(layout().segment(&code(), name), &encode(records));
    name
}

pub(super) async fn look<D: Disk>(disk: &D) -> Result<Chain> {
    IndexStore::new(&store(disk, &layout()), &code(), Bounds::ALL).chain().await
}

pub(super) async fn sort<D: Disk>(disk: &D, limits: &Limits) -> Result<Sorted> {
    IndexStore::new(&store(disk, &layout()), &code(), Bounds::ALL).sort(limits).await
}

pub(super) async fn optimize<D: Disk>(disk: &D, limits: &Limits) -> Result<Optimized> {
    IndexStore::new(&store(disk, &layout()), &code(), Bounds::ALL).optimize(limits, None).await
}

/// Removes what is superseded, as the cleaner does once no recovery is under way.
pub(super) async fn clean<D: Disk>(disk: &D) -> Result<()> {
    for name in look(disk).await?.superseded {
        let path = layout().segment(&code(), name);
        disk.remove_file(&path).await?;
        match disk.remove_file(&names::sidecar_of(&path)).await {
            Err(error) if !error.is_not_found() => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}

/// Removes what was never completed, as the cleaner does once it has seen it for an hour.
pub(super) async fn remove_strays<D: Disk>(disk: &D) -> Result<()> {
    let config = JobsConfig { unread_before_clean: Duration::MAX, ..JobsConfig::default() };
    let mut cleaner = Superseded::new(store(disk, &layout()), &config);
    for now in [MonoNanos(0), MonoNanos(0) + Duration::from_secs(60 * 60)] {
        cleaner.visit(&code(), Bounds::ALL, true, now).await?;
    }
    Ok(())
}

/// The records of a segment, read page by page.
pub(super) async fn read_segment<D: Disk>(
    disk: &D,
    name: SegmentName,
    page_bytes: u64,
) -> Result<Vec<Record>> {
    let segment = OpenSegment::open(&store(disk, &layout()), &code(), name).await?;
    let mut records = Vec::new();
    let mut at = 0;
    loop {
        let cut = segment.cut(at, page_bytes).expect("the end of a page is where the next begins");
        assert_eq!(cut.begin.record, records.len() as u64);
        let page = decode(&segment.read_raw(cut.bytes()).await?);
        assert_eq!(cut.records(), page.len() as u64);
        if page.is_empty() {
            assert_eq!(at, segment.sidecar().header().bytes);
            return Ok(records);
        }
        records.extend(page);
        at = cut.end.offset;
    }
}

/// The records that a recovery would be sent of the dealt segments.
pub(super) async fn recover<D: Disk>(disk: &D) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    for segment in look(disk).await?.in_order() {
        records.extend(read_segment(disk, segment.name, 1 << 16).await?);
    }
    Ok(records)
}

/// The state that a recovery comes to.
pub(super) async fn state<D: Disk>(disk: &D) -> Result<State> {
    Ok(State::after(&recover(disk).await?))
}

/// A file of the disk, changed in place.
pub(super) fn change(disk: &MemDisk, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = disk.get(path).unwrap();
    change(&mut bytes);
    disk.put(path, &bytes);
}
