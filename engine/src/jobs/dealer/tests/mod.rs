mod archiving;
mod crash;
mod damage;
mod deletion;
mod legacy;
mod order;
mod size;

use crate::testing::store;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use logtank_wire::record::RecordView;

use super::{Dealer, Dealt, Outcome, undealt};
use crate::deletion_log::DeletionLog;
use crate::deletions::Deletions;
use crate::error::Corruption;
use crate::format::checkpoint::Checkpoint;
use crate::format::index::Sidecar;
use crate::format::layout::Layout;
use crate::format::names::{SegmentKind, SegmentName, is_temporary, sidecar_of};
use crate::ids::{Epoch, IndexCode};
use crate::index_log::verify::verify_index;
use crate::io::disk::{Disk, Transfer};
use crate::limits::Limits;
use crate::testing::{Cut, Hooked, MemDisk, RawEpoch, Stepped, raw_record, run};

/// Docid and text of each record of an index, in order.
type Contents = BTreeMap<String, Vec<(String, String)>>;

fn layout() -> Layout {
    Layout::new(Path::new("/data"), None)
}

fn code(text: &str) -> IndexCode {
    IndexCode::new(text.as_bytes()).unwrap()
}

fn epoch(millis: u64) -> Epoch {
    Epoch::new(millis).unwrap()
}

fn dealer<D: Disk>(disk: &D, job_bytes_max: usize) -> Dealer<D> {
    let limits = Limits { job_bytes_max, ..Limits::default() };
    Dealer::new(store(disk, &layout()), &limits, Transfer::Cached)
}

/// An empty data directory.
fn empty() -> MemDisk {
    let disk = MemDisk::new();
    disk.put("/data/safe_to_read", b"");
    disk.put("/data/raw/history/nothing", b"");
    disk.put("/data/raw/live/nothing", b"");
    disk
}

/// Epochs over two shards, `indexes` indexes, `records` records each; and what they hold.
fn log(disk: &MemDisk, epochs: u64, indexes: usize, records: usize) -> Contents {
    let mut contents = Contents::new();
    for millis in (1..=epochs).map(|number| 10 * number) {
        let mut raw = RawEpoch::new(millis, 2);
        for frame in 0..records.div_ceil(4) {
            let numbers = frame * 4..records.min(frame * 4 + 4);
            let batch: Vec<_> = numbers
                .map(|number| {
                    let (index, text) = (format!("i{}", number % indexes), format!("{millis}/{number}"));
                    contents.entry(index.clone()).or_default().push(("doc".to_owned(), text.clone()));
                    raw_record(&index, "doc", Some(&text))
                })
                .collect();
            raw.frame(frame % 2, &batch);
        }
        raw.put(&store(disk, &layout()), true);
    }
    contents
}

fn deal_all<D: Disk>(dealer: &mut Dealer<D>, deletions: &DeletionLog) -> Vec<Dealt> {
    let mut all = Vec::new();
    loop {
        match run(dealer.deal_next(deletions)).unwrap() {
            Outcome::Dealt(dealt) => all.push(dealt),
            Outcome::Nothing => return all,
            Outcome::Blocked { corruption, .. } => panic!("{corruption}"),
            Outcome::NoRoom { needed, .. } => panic!("{needed} bytes needed"),
        }
    }
}

fn checkpoint(disk: &MemDisk) -> Epoch {
    run(Checkpoint::read(&store(disk, &layout()))).unwrap().next().unwrap()
}

/// What readers find in the indexes' folders: segments before the checkpoint, from the deletion's epoch on. Each
/// must have a sidecar that fits.
fn contents(disk: &MemDisk) -> Contents {
    let mut contents = Contents::new();
    let deletions = run(Deletions::load(&store(disk, &layout()))).unwrap();
    let mut segments: Vec<_> = disk
        .files()
        .into_iter()
        .filter_map(|path| {
            let name = SegmentName::parse(path.file_name()?.to_str()?)?;
            let index = path.strip_prefix("/data/indexes").ok()?.iter().next()?.to_str()?.to_owned();
            Some((index, name.time, name, path))
        })
        .collect();
    segments.sort();
    for (index, time, name, path) in segments {
        let deleted = deletions.position(&code(&index)).is_some_and(|before| time < before.epoch());
        if time >= checkpoint(disk) || deleted {
            continue;
        }
        assert_eq!(name.kind, SegmentKind::Unsorted);
        let bytes = disk.get(&path).unwrap();
        let sidecar = Sidecar::decode(&disk.get(sidecar_of(&path)).unwrap()).unwrap();
        let header = sidecar.header();
        assert_eq!((header.records, header.bytes), (name.records, bytes.len() as u64));
        assert_eq!((header.epochs.first, header.epochs.last), (time, time));
        let mut rest = &bytes[..];
        let into = contents.entry(index).or_default();
        let mut records = 0;
        while !rest.is_empty() {
            let (view, length) = RecordView::parse(rest).unwrap();
            rest = &rest[length..];
            records += 1;
            assert!(view.index_code.is_none() && view.id.is_none());
            assert_eq!(view.timestamp_ms, Some(time.millis() as i64), "the frame's time");
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            let field = view.fields.and_then(|fields| fields.iter().next().map(|(_, value)| text(value)));
            into.push((text(view.docid.unwrap()), field.unwrap_or_default()));
        }
        assert_eq!(records, name.records);
    }
    contents
}

/// What a verification finds wrong, but for segments of these epochs.
fn findings<D: Disk>(disk: &D, undealt: &BTreeSet<Epoch>) -> Vec<Corruption> {
    let indexes = match run(disk.list(&layout().indexes())) {
        Err(error) if error.is_not_found() => return Vec::new(),
        indexes => indexes.unwrap(),
    };
    let verified = indexes.iter().map(|index| {
        run(verify_index(&store(disk, &layout()), &code(&index.name), &Limits::default(), undealt)).unwrap()
    });
    verified.flat_map(|verified| verified.findings).collect()
}

fn temporaries(disk: &MemDisk) -> usize {
    let names = disk.files().into_iter().filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()));
    names.filter(|name| is_temporary(name)).count()
}

fn live(disk: &MemDisk) -> usize {
    run(disk.list(&layout().raw_live())).unwrap().len() - 1
}
