use std::collections::BTreeMap;
use std::path::Path;

use crate::error::Result;
use crate::format::pack::{CodeHash, PackName, SliceKind};
use crate::ids::{IndexCode, Position};
use crate::packs::open_pack::OpenPack;
use crate::packs::slice::OpenSlice;
use crate::packs::writer::{NewSlice, PackWriter, PublishedPack};
use crate::testing::{MemDisk, run};
use crate::time::WallMillis;
use logtank_wire::record::RecordWriter;

pub(super) const FOLDER: &str = "/packs";
pub(super) const NAME: &str = "7.0-8.0_0_all.recent";

/// What a pack holds: for each index its slice.
pub(super) type Model = BTreeMap<(CodeHash, IndexCode), Slice>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slice {
    pub(super) kind: SliceKind,
    pub(super) first: Position,
    pub(super) dropped: Position,
    pub(super) records: Vec<Vec<u8>>,
}

impl Slice {
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.records.concat()
    }
}

pub(super) fn code(text: &str) -> IndexCode {
    IndexCode::new(text.as_bytes()).unwrap()
}

pub(super) fn key(text: &str) -> (CodeHash, IndexCode) {
    (CodeHash::of(text.as_bytes()), code(text))
}

pub(super) fn name(text: &str) -> PackName {
    PackName::parse(text).unwrap()
}

/// A record of an index's segment, of about `bytes`.
pub(super) fn record(docid: usize, bytes: usize) -> Vec<u8> {
    let mut record = Vec::new();
    let mut writer = RecordWriter::begin(&mut record);
    writer.docid(format!("d-{docid:06}").as_bytes());
    let text = vec![b'a' + (docid % 26) as u8; bytes];
    writer.fields([(&b"text"[..], &text[..])].into_iter());
    writer.finish();
    record
}

pub(super) fn unsorted(records: Vec<Vec<u8>>) -> Slice {
    let first = name(NAME).range().first();
    Slice { kind: SliceKind::Unsorted, first, dropped: Position::ZERO, records }
}

/// Writes all of it; what was published, and the memory that it took.
pub(super) fn write(disk: &MemDisk, name: PackName, model: &Model) -> (PublishedPack, usize) {
    write_to(disk, Path::new(FOLDER), name, model)
}

/// As [`write`], to this folder.
pub(super) fn write_to(
    disk: &MemDisk,
    folder: &Path,
    name: PackName,
    model: &Model,
) -> (PublishedPack, usize) {
    run(async {
        let mut writer = PackWriter::create(disk, folder, name, WallMillis(9_000)).await.unwrap();
        for ((_, code), slice) in model {
            let new = NewSlice { code, kind: slice.kind, first: slice.first, dropped: slice.dropped };
            writer.push(new, slice.records.iter().map(Vec::as_slice)).await.unwrap();
        }
        let memory = writer.memory_bytes_max();
        (writer.publish().await.unwrap(), memory)
    })
}

/// A disk with the folder of packs, which takes only what direct I/O does.
pub(super) fn empty_disk() -> MemDisk {
    let disk = MemDisk::new();
    disk.put_folder(FOLDER);
    disk.demand_alignment();
    disk
}

pub(super) fn open(disk: &MemDisk, name: PackName) -> Result<OpenPack<MemDisk>> {
    run(OpenPack::open(disk, Path::new(FOLDER), name))
}

/// All bytes of a slice, read page by page.
pub(super) fn read(slice: &OpenSlice<MemDisk>, page_bytes: u64) -> Result<Vec<u8>> {
    let (mut bytes, mut records) = (Vec::new(), 0);
    while let Some(cut) = slice.cut(bytes.len() as u64, page_bytes).filter(|cut| !cut.bytes().is_empty()) {
        assert_eq!(cut.begin.record, records);
        records = cut.end.record;
        bytes.extend_from_slice(&run(slice.read_raw(cut.bytes()))?);
    }
    Ok(bytes)
}
