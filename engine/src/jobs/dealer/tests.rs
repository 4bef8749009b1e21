use std::collections::BTreeMap;
use std::path::Path;

use logtank_wire::record::RecordView;

use super::{Dealer, Dealt, Outcome};
use crate::deletions::{DeletionLog, Deletions};
use crate::format::checkpoint::Checkpoint;
use crate::format::index::Sidecar;
use crate::format::layout::Layout;
use crate::format::names::{SegmentKind, SegmentName, is_temporary, sidecar_of};
use crate::ids::{Epoch, IndexCode};
use crate::io::disk::{Disk, Transfer};
use crate::limits::Limits;
use crate::testing::{MemDisk, RawEpoch, StepDisk, Stepped, raw_record, run};

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
    Dealer::new(disk.clone(), layout(), &limits, Transfer::Cached)
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
        raw.put(disk, &layout(), true);
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
        }
    }
}

fn checkpoint(disk: &MemDisk) -> Epoch {
    run(Checkpoint::read(disk, &layout())).unwrap().next().unwrap()
}

/// What readers find in the indexes' folders: segments before the checkpoint, from the deletion's epoch on. Each
/// must have a sidecar that fits.
fn contents(disk: &MemDisk) -> Contents {
    let mut contents = Contents::new();
    let deletions = run(Deletions::load(disk, &layout())).unwrap();
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

fn temporaries(disk: &MemDisk) -> usize {
    let names = disk.files().into_iter().filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()));
    names.filter(|name| is_temporary(name)).count()
}

fn live(disk: &MemDisk) -> usize {
    run(disk.list(&layout().raw_live())).unwrap().len() - 1
}

#[test]
fn an_epoch_is_split_by_index_in_the_order_of_positions_over_all_shards() {
    let disk = empty();
    let expected = log(&disk, 3, 3, 40);
    let dealt = deal_all(&mut dealer(&disk, 1 << 20), &DeletionLog::new());
    assert_eq!(contents(&disk), expected);
    assert_eq!(checkpoint(&disk), epoch(31));
    assert_eq!((live(&disk), temporaries(&disk)), (0, 0));
    assert_eq!(run(disk.list(&layout().raw_history())).unwrap().len(), 1 + 6);
    let told: Vec<_> =
        dealt.iter().map(|dealt| (dealt.epoch.millis(), dealt.records(), dealt.passes)).collect();
    assert_eq!(told, [(10, 40, 1), (20, 40, 1), (30, 40, 1)]);
    assert!(dealt.iter().all(|dealt| dealt.indexes.len() == 3 && dealt.archived_files == 2));
}

#[test]
fn an_open_epoch_waits_and_so_does_what_is_behind_it() {
    let disk = empty();
    log(&disk, 3, 1, 4);
    let mut open = RawEpoch::new(15, 1);
    open.frame(0, &[raw_record("x", "d", None)]);
    open.put(&disk, &layout(), false);
    let mut dealer = dealer(&disk, 1 << 20);
    assert_eq!(deal_all(&mut dealer, &DeletionLog::new()).len(), 1);
    assert_eq!(checkpoint(&disk), epoch(11));
    open.put(&disk, &layout(), true);
    assert_eq!(deal_all(&mut dealer, &DeletionLog::new()).len(), 3);
    assert_eq!(contents(&disk)["x"], [("d".to_owned(), String::new())]);
}

#[test]
fn a_crash_between_any_two_calls_is_repaired_by_running_again() {
    // Few indexes are synced one by one, many together; little memory makes several passes, and pieces.
    let shapes = [(2, 2, 8, 1 << 20, 1), (1, 16, 16, 1 << 20, 1), (1, 2, 24, 600, 1), (1, 34, 34, 8_000, 5)];
    for (epochs, indexes, records, memory, stride) in shapes {
        let expected = log(&empty(), epochs, indexes, records);
        for steps in (0..).step_by(stride) {
            let disk = empty();
            log(&disk, epochs, indexes, records);
            let slow = StepDisk(disk.clone());
            let deletions = DeletionLog::new();
            let mut first = dealer(&slow, memory);
            let ended = Stepped::new(async {
                while first.deal_next(&deletions).await.unwrap() != Outcome::Nothing {}
            })
            .steps(steps)
            .is_some();
            let half = contents(&disk);
            for (index, records) in &half {
                assert!(expected[index].starts_with(records), "what counts as dealt is a beginning");
            }
            deal_all(&mut dealer(&disk, memory), &DeletionLog::new());
            assert_eq!(contents(&disk), expected, "{indexes} indexes, crash after {steps} calls");
            assert_eq!((live(&disk), temporaries(&disk)), (0, 0));
            if ended {
                assert!(steps > 30, "it was interrupted in many places");
                break;
            }
        }
    }
}

#[test]
fn an_error_at_any_call_leaves_nothing_half_done() {
    // Being dropped at an await is what an error looks like to those who own the dealer: the same one goes on.
    let expected = log(&empty(), 1, 20, 20);
    for steps in (0..).step_by(3) {
        let disk = empty();
        log(&disk, 1, 20, 20);
        let deletions = DeletionLog::new();
        let mut dealer = dealer(&StepDisk(disk.clone()), 5_000);
        let ended = Stepped::new(dealer.deal_next(&deletions)).steps(steps).is_some();
        deal_all(&mut dealer, &deletions);
        assert_eq!(contents(&disk), expected, "after {steps} calls");
        assert_eq!((live(&disk), temporaries(&disk)), (0, 0));
        if ended {
            break;
        }
    }
}

/// Epochs 10 and 20 complete, 30 open with two records of `gone`: all acknowledged when `gone` is deleted. Then
/// one more in epoch 30 and one in 40.
struct DeletedWhileDealing {
    disk: MemDisk,
    open: RawEpoch,
}

impl DeletedWhileDealing {
    fn new() -> Self {
        let disk = empty();
        for millis in [10, 20] {
            let mut raw = RawEpoch::new(millis, 1);
            raw.frame(0, &[raw_record("gone", "old", Some("x")), raw_record("kept", "a", Some("x"))]);
            raw.put(&disk, &layout(), true);
        }
        let mut open = RawEpoch::new(30, 1);
        open.frame(0, &[raw_record("gone", "old", Some("x")), raw_record("kept", "a", Some("x"))]);
        open.put(&disk, &layout(), false);
        Self { disk, open }
    }

    fn write_anew_and_check(mut self, memory: usize, deletions: &DeletionLog, what: &str) {
        self.open.frame(0, &[raw_record("gone", "new", Some("y"))]);
        self.open.put(&self.disk, &layout(), true);
        let mut last = RawEpoch::new(40, 1);
        last.frame(0, &[raw_record("gone", "new", Some("z")), raw_record("kept", "a", Some("x"))]);
        last.put(&self.disk, &layout(), true);
        deal_all(&mut dealer(&self.disk, memory), deletions);
        let contents = contents(&self.disk);
        let new = |text: &str| ("new".to_owned(), text.to_owned());
        assert_eq!(contents["gone"], [new("y"), new("z")], "{what}");
        assert_eq!(contents["kept"].len(), 4, "{what}");
    }
}

#[test]
fn a_deletion_at_any_call_of_dealing_covers_all_before_it_and_nothing_after() {
    for memory in [1 << 20, 400] {
        for steps in 0.. {
            let world = DeletedWhileDealing::new();
            let deletions = DeletionLog::new();
            let slow = StepDisk(world.disk.clone());
            let mut dealing = dealer(&slow, memory);
            let mut dealing = Stepped::new(async {
                while dealing.deal_next(&deletions).await.unwrap() != Outcome::Nothing {}
            });
            let mut ended = dealing.steps(steps).is_some();
            // The deletion runs to its end; where it needs the lock, dealing goes on until it gets it.
            let (fast, layout, gone) = (world.disk.clone(), layout(), code("gone"));
            let mut deleting = Stepped::new(deletions.delete(&fast, &layout, &gone));
            while deleting.step().is_none() {
                ended = ended || dealing.step().is_some();
            }
            if !ended {
                while dealing.step().is_none() {}
            }
            drop((dealing, deleting));
            world.write_anew_and_check(memory, &deletions, &format!("deleted after {steps} calls"));
            if ended {
                assert!(steps > 20);
                break;
            }
        }
    }
}
