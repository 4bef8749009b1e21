use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

use logtank_wire::record::{RecordView, write_normalized};
use proptest::prelude::*;

use super::*;
use crate::deletions::{Deletions, publish};
use crate::error::{Error, Result, Verb};
use crate::format::layout::Layout;
use crate::format::pack::{CodeHash, PackName, SliceKind};
use crate::ids::{Epoch, IndexCode, Position};
use crate::io::disk::{Disk, Transfer};
use crate::packs::cursor::Cursor;
use crate::packs::open_pack::OpenPack;
use crate::packs::writer::PackWriter;
use crate::raw_log::read::live::LiveView;
use crate::store::Store;
use crate::testing::{Hooked, MemDisk, RawEpoch, raw_record, run, store};
use crate::time::WallMillis;

const EPOCH: u64 = 50;
/// Where the newest pack ended: some epochs in between held nothing.
const NEWEST: u64 = 40;

fn code(text: &str) -> IndexCode {
    IndexCode::new(text.as_bytes()).unwrap()
}

fn at(epoch: u64, ordinal: u32) -> Position {
    Position::new(Epoch::new(epoch).unwrap(), ordinal)
}

/// A data directory in which these frames of records, each of an index and a text, are one epoch of three shards.
fn tree(frames: &[Vec<(usize, usize)>]) -> (Store<MemDisk>, Vec<Vec<u8>>) {
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

fn deletions(store: &Store<MemDisk>, all: &[(usize, Position)]) -> Deletions {
    for (index, position) in all {
        run(publish(store, &code(&format!("index-{index}")), *position)).unwrap();
    }
    run(Deletions::load(store)).unwrap()
}

/// The records of each index.
type Split = BTreeMap<IndexCode, Vec<Vec<u8>>>;

/// What each index gets, by the rule as it is written; and what is rejected.
fn naive(records: &[Vec<u8>], deletions: &Deletions) -> (Split, Vec<Vec<u8>>, Met) {
    let (mut split, mut rejected, mut met) = (Split::new(), Vec::new(), Met::default());
    for (ordinal, bytes) in (0..).zip(records) {
        met.records += 1;
        let (view, _) = RecordView::parse(bytes).unwrap();
        if view.docid.is_none() {
            met.empty += 1;
        } else if let Ok(code) = IndexCode::new(view.index_code.unwrap()) {
            if deletions.position(&code).is_some_and(|before| at(EPOCH, ordinal) < before) {
                met.deleted += 1;
                continue;
            }
            let mut normalized = Vec::new();
            write_normalized(&mut normalized, &view, EPOCH as i64);
            split.entry(code).or_default().push(normalized);
        } else {
            met.rejected += 1;
            rejected.push(bytes.clone());
        }
    }
    (split, rejected, met)
}

/// What was handed out, part by part, and the packs that were written.
struct Gathered {
    met: Met,
    names: Vec<PackName>,
    rejected: Vec<Vec<u8>>,
    held: Vec<usize>,
}

fn gather<D: Disk>(store: &Store<D>, deletions: &Deletions, bytes_max: usize) -> Result<Gathered> {
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
fn in_packs(store: &Store<MemDisk>, names: &[PackName]) -> BTreeMap<IndexCode, Vec<(Position, Vec<u8>)>> {
    let mut found = BTreeMap::<_, Vec<_>>::new();
    for &name in names {
        let pack = run(OpenPack::open(store.disk(), &store.layout().packs(), name)).unwrap();
        let mut cursor = Cursor::new(&pack, crate::format::pack::Cell::ALL, 1 << 16);
        while let Some(slice) = run(cursor.advance()).unwrap() {
            assert_eq!(slice.info().kind, SliceKind::Unsorted);
            let bytes = run(slice.read_raw(0..slice.info().bytes)).unwrap().to_vec();
            found.entry(slice.code().clone()).or_default().push((slice.info().first, bytes));
        }
    }
    found
}

fn is_as_naive(frames: &[Vec<(usize, usize)>], deleted: &[(usize, Position)], bytes_max: usize) {
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

#[test]
fn an_epoch_that_fits_is_one_pack() {
    let frames: Vec<_> = (0..30).map(|frame| vec![(2 + frame % 7, 20); 10]).collect();
    let (store, _) = tree(&frames);
    let gathered = gather(&store, &Deletions::default(), 1 << 20).unwrap();
    assert_eq!(gathered.names.len(), 1);
    assert_eq!(gathered.names[0].to_string(), "40.0-51.0_0_all.recent");
    is_as_naive(&frames, &[], 1 << 20);
}

#[test]
fn an_epoch_without_a_record_is_an_empty_pack() {
    is_as_naive(&[], &[], 1 << 20);
    is_as_naive(&[vec![(1, 0)]], &[], 1 << 20);
}

#[test]
fn an_epoch_is_read_once_however_many_packs_it_fills() {
    let frames: Vec<_> = (0..60).map(|frame| vec![(2 + frame % 50, 900); 10]).collect();
    let reads_and_parts = |bytes_max| {
        let (tree, _) = tree(&frames);
        let reads = Rc::new(Cell::new(0));
        let counted = reads.clone();
        let disk = Hooked::new(tree.disk().clone(), move |verb, path| {
            let of_raw = verb == Verb::Read && path.starts_with("/data/raw");
            counted.set(counted.get() + u32::from(of_raw));
            Ok(())
        });
        let gathered = gather(&store(&disk, tree.layout()), &Deletions::default(), bytes_max).unwrap();
        (reads.get(), gathered.met.parts)
    };
    let (reads, parts) = reads_and_parts(1 << 22);
    assert_eq!(parts, 1);
    let (reads_for_many, parts) = reads_and_parts(100_000);
    assert!((6..=8).contains(&parts), "half a megabyte in {parts} parts");
    assert_eq!(reads_for_many, reads);
    is_as_naive(&frames, &[], 100_000);
}

#[test]
fn a_deletion_in_the_epoch_moves_the_beginning_of_the_slice() {
    let frames: Vec<_> = (0..10).map(|_| vec![(2, 20), (3, 20)]).collect();
    let (store, _) = tree(&frames);
    let within = at(EPOCH, 7);
    let all = deletions(&store, &[(2, within), (3, at(NEWEST + 5, 3))]);
    let gathered = gather(&store, &all, 1 << 20).unwrap();
    let found = in_packs(&store, &gathered.names);
    // Who reads compares epochs: the slice begins with that of the deletion, and only what came after it is in there.
    assert_eq!(found[&code("index-2")][0].0, at(EPOCH, 0));
    assert_eq!(found[&code("index-3")][0].0, at(NEWEST + 5, 3));
    assert_eq!(gathered.met.deleted, 4);
}

#[test]
fn an_epoch_that_lacks_a_record_is_not_handed_out_to_its_end() {
    let frames: Vec<_> = (0..9).map(|_| vec![(2, 20)]).collect();
    let (store, _) = tree(&frames);
    let mut fewer = RawEpoch::new(EPOCH, 3);
    (0..3).for_each(|shard| fewer.frame(shard, &[raw_record("index-2", "d", None)]));
    let path = store.layout().live(fewer.name(2));
    let segment = store.disk().get(&path).unwrap();
    // The last frame's bytes: the seal still counts it.
    let end = segment.len() - 4_096;
    let mut damaged = segment;
    damaged[end - 8..end].fill(0xee);
    store.disk().put(&path, &damaged);
    assert!(matches!(gather(&store, &Deletions::default(), 1 << 20), Err(Error::Corrupt(_))));
    assert!(run(store.list(&store.layout().packs())).unwrap().is_empty());
}

#[test]
fn rows_are_sorted_by_hash_then_code_then_arrival() {
    let mut arena = Arena::new(1 << 20, 0);
    for number in 0..1_000_u32 {
        let code = format!("index-{}", number % 37);
        assert!(arena.push(code.as_bytes(), |out| out.extend(number.to_be_bytes())));
    }
    arena.sort();
    let keys: Vec<_> = arena.groups().map(|group| (CodeHash::of(group.code()), group.code())).collect();
    assert!(keys.is_sorted() && keys.len() == 37);
    assert!(arena.groups().all(|group| group.records().is_sorted() && group.records().len() >= 27));
    assert_eq!(arena.groups().map(|group| group.records().len()).sum::<usize>(), 1_000);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_record_is_in_one_pack_in_order_whatever_the_memory(
        frames in prop::collection::vec(prop::collection::vec((0..9_usize, 0..400_usize), 1..8), 0..24),
        deleted in prop::collection::vec((2..9_usize, NEWEST..=EPOCH, 0..60_u32), 0..3),
        bytes_max in 200..20_000_usize,
    ) {
        let deleted: Vec<_> = deleted.iter().map(|(index, epoch, ordinal)| (*index, at(*epoch, *ordinal))).collect();
        is_as_naive(&frames, &deleted, bytes_max);
    }
}
