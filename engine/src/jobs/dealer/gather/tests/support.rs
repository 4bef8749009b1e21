use std::collections::BTreeMap;
use std::path::Path;

use logtank_wire::record::{RecordView, write_normalized};

use super::super::*;
use crate::deletions::{Deletions, publish};
use crate::error::Result;
use crate::format::layout::Layout;
use crate::format::pack::{Cell, PackName, SliceKind};
use crate::ids::{Epoch, IndexCode, Position};
use crate::io::disk::{Disk, Transfer};
use crate::packs::cursor::Cursor;
use crate::packs::open_pack::OpenPack;
use crate::packs::writer::PackWriter;
use crate::raw_log::read::live::LiveView;
use crate::store::Store;
use crate::testing::{MemDisk, RawEpoch, raw_record, run, store};
use crate::time::WallMillis;

pub(super) const EPOCH: u64 = 50;
/// Where the newest pack ended: some epochs in between held nothing.
pub(super) const NEWEST: u64 = 40;

pub(super) fn code(text: &str) -> IndexCode {
    IndexCode::new(text.as_bytes()).unwrap()
}

pub(super) fn at(epoch: u64, ordinal: u32) -> Position {
    Position::new(Epoch::new(epoch).unwrap(), ordinal)
}

/// A data directory in which these frames of records, each of an index and a text, are one epoch of three shards.
pub(super) fn tree(frames: &[Vec<(usize, usize)>]) -> (Store<MemDisk>, Vec<Vec<u8>>) {
    let disk = MemDisk::new();
    disk.put_folder("/data/packs");
    disk.put_folder("/data/deletions");
    let store = store(&disk, &Layout::new(Path::new("/data"), None));
    let mut epoch = RawEpoch::new(EPOCH, 3);
    let mut records = Vec::new();
    for (number, frame) in frames.iter().enumerate() {
        let frame: Vec<_> = frame
            .iter()
            .map(|(index, bytes)| {
                let docid = format!("d-{}", records.len());
                let record = match index {
                    // Of no index; and one that says nothing.
                    0 => raw_record("not/valid", &docid, Some("text")),
                    1 => [0].into(),
                    index => raw_record(&format!("index-{index}"), &docid, Some(&"x".repeat(*bytes))),
                };
                records.push(record.clone());
                record
            })
            .collect();
        epoch.frame(number % 3, &frame);
    }
    epoch.put(&store, true);
    (store, records)
}

pub(super) fn deletions(store: &Store<MemDisk>, all: &[(usize, Position)]) -> Deletions {
    for (index, position) in all {
        run(publish(store, &code(&format!("index-{index}")), *position)).unwrap();
    }
    run(Deletions::load(store)).unwrap()
}

/// The records of each index.
pub(super) type Split = BTreeMap<IndexCode, Vec<Vec<u8>>>;

/// What each index gets, by the rule as it is written; and what is rejected.
pub(super) fn naive(records: &[Vec<u8>], deletions: &Deletions) -> (Split, Vec<Vec<u8>>, Met) {
    let (mut split, mut rejected, mut met) = (Split::new(), Vec::new(), Met::default());
    for (ordinal, bytes) in (0..).zip(records) {
        met.records.records += 1;
        let (view, _) = RecordView::parse(bytes).unwrap();
        if view.docid.is_none() {
            met.records.empty += 1;
        } else if let Ok(code) = IndexCode::new(view.index_code.unwrap()) {
            if deletions.position(&code).is_some_and(|before| at(EPOCH, ordinal) < before) {
                met.records.deleted += 1;
                continue;
            }
            let mut normalized = Vec::new();
            write_normalized(&mut normalized, &view, EPOCH as i64);
            split.entry(code).or_default().push(normalized);
        } else {
            met.records.rejected += 1;
            rejected.push(bytes.clone());
        }
    }
    (split, rejected, met)
}

/// What was handed out, part by part, and the packs that were written.
pub(super) struct Gathered {
    pub(super) met: Met,
    pub(super) names: Vec<PackName>,
    pub(super) rejected: Vec<Vec<u8>>,
    pub(super) held: Vec<usize>,
}

pub(super) fn gather<D: Disk>(store: &Store<D>, deletions: &Deletions, bytes_max: usize) -> Result<Gathered> {
    run(async {
        let view = LiveView::look(store, Transfer::Cached).await?;
        let epoch = &view.epochs[&Epoch::new(EPOCH).unwrap()];
        let transfer = Transfer::Cached;
        let gatherer = Gatherer { disk: store.disk(), transfer, epoch, deletions, bytes_max };
        let (mut names, mut rejected, mut held) = (Vec::new(), Vec::new(), Vec::new());
        let mut publish = async |part: Part<'_>| {
            let name = part.name();
            names.push(name);
            rejected.extend(part.rejected().map(<[u8]>::to_vec));
            held.push(part.bytes());
            let mut pack =
                PackWriter::create(store.disk(), &store.layout().packs(), name, WallMillis(1)).await?;
            part.write(&mut pack).await?;
            pack.publish().await?;
            Ok(())
        };
        let met = gatherer.run(at(NEWEST, 0), &mut publish).await?;
        Ok(Gathered { met, names, rejected, held })
    })
}

/// What the packs hold for each index, in the order of the packs; and where each slice begins.
pub(super) fn in_packs(
    store: &Store<MemDisk>,
    names: &[PackName],
) -> BTreeMap<IndexCode, Vec<(Position, Vec<u8>)>> {
    let mut found = BTreeMap::<_, Vec<_>>::new();
    for &name in names {
        let pack = run(OpenPack::open(store.disk(), &store.layout().packs(), name)).unwrap();
        let mut cursor = Cursor::new(&pack, Cell::ALL, 1 << 16);
        while let Some(slice) = run(cursor.advance()).unwrap() {
            assert_eq!(slice.info().kind, SliceKind::Unsorted);
            let bytes = run(slice.read_raw(0..slice.info().bytes)).unwrap().to_vec();
            found.entry(slice.code().clone()).or_default().push((slice.info().first, bytes));
        }
    }
    found
}

pub(super) fn is_as_naive(frames: &[Vec<(usize, usize)>], deleted: &[(usize, Position)], bytes_max: usize) {
    let (store, records) = tree(frames);
    let deletions = deletions(&store, deleted);
    let (split, rejected, met) = naive(&records, &deletions);
    let gathered = gather(&store, &deletions, bytes_max).unwrap();
    assert_eq!(gathered.met, Met { parts: gathered.met.parts, ..met });
    assert_eq!(gathered.rejected, rejected);
    let mut end = at(NEWEST, 0);
    for name in &gathered.names {
        assert_eq!(name.range().first(), end, "the packs tile the log");
        end = name.range().end();
    }
    assert_eq!(end, at(EPOCH + 1, 0));
    let longest = records.iter().map(Vec::len).max().unwrap_or(0) + 128 + 48;
    for held in &gathered.held {
        assert!(*held <= bytes_max.max(longest), "{held} of {bytes_max}");
    }
    let found = in_packs(&store, &gathered.names);
    assert!(found.keys().eq(split.keys()));
    for (code, slices) in &found {
        let bytes: Vec<u8> = slices.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
        assert!(bytes == split[code].concat(), "{code}: each record once, in order");
        for (first, _) in slices {
            let deletion = deletions.position(code);
            assert!(deletion.is_none_or(|deletion| *first >= deletion.min(at(deletion.epoch().millis(), 0))));
        }
    }
}
