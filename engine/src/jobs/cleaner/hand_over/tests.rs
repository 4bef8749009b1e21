use crate::testing::store;
use std::path::Path;

use super::*;
use crate::deletions::publish;
use crate::format::layout::Layout;
use crate::ids::Position;
use crate::testing::{Hooked, ManualClock, MemDisk, Stepped, run};
use crate::time::Clock;

const NEXT: u64 = 900;

fn layout() -> Layout {
    Layout::new(Path::new("/data"), None)
}

fn code(text: &str) -> IndexCode {
    IndexCode::new(text.as_bytes()).unwrap()
}

/// A tree of which everything is dealt, with these segments of epochs before a second.
fn tree(segments: &[(&str, u64, &str)]) -> MemDisk {
    let disk = MemDisk::new();
    disk.put(layout().checkpoint(), NEXT.to_string().as_bytes());
    disk.put(layout().raw_history().join("100.raw"), b"");
    run(disk.create_folder(&layout().raw_live())).unwrap();
    for &(index, millis, what) in segments {
        let name = SegmentName::parse(&format!("1970.01.01-00.00.00.{millis:03}.{what}")).unwrap();
        disk.put(layout().segment(&code(index), name), b"12345");
        disk.put(layout().sidecar(&code(index), name), b"sidecar");
    }
    disk
}

fn handed_over(disk: &MemDisk) -> Cleaned {
    let now = ManualClock::at(1_000_000).now();
    run(hand_over(&store(disk, &layout()), &DeletionLog::new(), now, &|_, _| {})).unwrap()
}

/// What the original's reader applies of an index, by its rules: the newest optimized segment, then all sorted ones,
/// then all unsorted ones, by time. It knows neither `deletions/` nor sidecars.
fn original_reads(disk: &MemDisk, index: &str) -> Result<Vec<String>, &'static str> {
    let files = disk.files();
    let next = String::from_utf8(disk.get(layout().checkpoint()).unwrap()).unwrap();
    let raw = format!("{}.raw", next.trim());
    let [live, history] = [layout().raw_live().join(&raw), layout().raw_history().join(&raw)];
    if !files.contains(&live) && !files.contains(&history) {
        return Err("no raw segment at the checkpoint: it reverts, which it can't");
    }
    let folder = layout().index(&code(index));
    let names = files.iter().filter(|path| path.starts_with(&folder));
    let names: Vec<SegmentName> =
        names.filter_map(|path| SegmentName::parse(path.file_name()?.to_str()?)).collect();
    let of = |kind| {
        let mut found: Vec<_> = names.iter().filter(|name| name.kind == kind).collect();
        found.sort_by_key(|name| name.time);
        found
    };
    let (sorted, unsorted) = (of(SegmentKind::Sorted), of(SegmentKind::Unsorted));
    if sorted.iter().any(|name| unsorted.iter().any(|other| other.time == name.time)) {
        return Err("a sorted and an unsorted segment of one time: it serves one page for ever");
    }
    let all = of(SegmentKind::Optimized).into_iter().next_back().into_iter().chain(sorted).chain(unsorted);
    Ok(all.map(|name| name.to_string().replace("1970.01.01-00.00.00.", "")).collect())
}

#[test]
fn the_original_reads_what_is_handed_over_and_not_before() {
    let disk = tree(&[("m", 300, "optimized_9"), ("m", 400, "sorted_5"), ("m", 450, "unsorted_1")]);
    assert!(original_reads(&disk, "m").is_err());
    assert!(handed_over(&disk).is_nothing());
    assert_eq!(original_reads(&disk, "m").unwrap(), ["300.optimized_9", "400.sorted_5", "450.unsorted_1"]);
    assert!(disk.get(layout().live(RawName::Legacy(Epoch::new(NEXT).unwrap()))).unwrap().is_empty());
    assert!(handed_over(&disk).is_nothing(), "again");
}

#[test]
fn wherever_a_crash_falls_the_next_hand_over_ends_the_same() {
    // A sort that was killed before its inputs went, and a cleaning that was killed after the witness had gone.
    let segments = [
        ("m", 100, "optimized_9"),
        ("m", 300, "optimized_9"),
        ("m", 100, "sorted_5"),
        ("m", 200, "sorted_5"),
        ("m", 400, "sorted_40"),
        ("m", 400, "unsorted_30"),
        ("m", 450, "unsorted_1"),
        ("gone", 500, "unsorted_1"),
        ("anew", 500, "unsorted_1"),
        ("anew", 700, "unsorted_2"),
    ];
    for steps in 0.. {
        let disk = tree(&segments);
        for (index, before) in [("gone", NEXT), ("anew", 600)] {
            let before = Position::new(Epoch::new(before).unwrap(), 0);
            run(publish(&store(&disk, &layout()), &code(index), before)).unwrap();
        }
        let (slow, place, log) = (Hooked::stepping(disk.clone()), layout(), DeletionLog::new());
        let now = ManualClock::at(1_000_000).now();
        let ended = Stepped::new(hand_over(&store(&slow, &place), &log, now, &|_, _| {})).steps(steps);
        handed_over(&disk);
        let read = |index| original_reads(&disk, index).unwrap();
        assert_eq!(read("m"), ["300.optimized_9", "400.sorted_40", "450.unsorted_1"], "{steps} calls");
        assert_eq!(read("gone"), [""; 0], "{steps} calls");
        assert_eq!(read("anew"), ["700.unsorted_2"], "{steps} calls");
        let left = disk.files();
        assert!(!left.iter().any(|path| path.starts_with(layout().deletions())), "{left:?}");
        assert!(!left.iter().any(|path| path.to_str().unwrap().contains("optimized_9.sum")), "{left:?}");
        if let Some(result) = ended {
            result.unwrap();
            break;
        }
    }
}

/// The names in the folder in which the original looks for its raw log.
fn original_live(disk: &MemDisk) -> Vec<String> {
    let folder = layout().original_live();
    run(disk.list(&folder)).unwrap().into_iter().map(|entry| entry.name).collect()
}

#[test]
fn with_a_raw_folder_elsewhere_the_original_finds_its_own() {
    let disk = tree(&[("m", 300, "unsorted_9")]);
    run(disk.remove_folder(&layout().raw_live())).unwrap();
    let place = Layout::new(Path::new("/data"), Some(Path::new("/drive")));
    let hand_over = || {
        run(hand_over(
            &store(&disk, &place),
            &DeletionLog::new(),
            ManualClock::at(1_000_000).now(),
            &|_, _| {},
        ))
    };
    hand_over().unwrap();
    assert_eq!(original_reads(&disk, "m").unwrap(), ["300.unsorted_9"]);
    // What an earlier hand-over left would be taken for the beginning.
    disk.put(layout().original_live().join("800.raw"), b"");
    hand_over().unwrap();
    assert_eq!(original_live(&disk), ["900.raw"]);
    // And what the original received since then is not dealt.
    disk.put(layout().original_live().join("950.raw"), b"record");
    let error = hand_over().unwrap_err().to_string();
    assert!(error.contains("950.raw") && error.contains("without --raw-dir"), "{error}");
    assert!(disk.get(layout().original_live().join("950.raw")).is_some());
}

#[test]
fn what_no_one_knows_the_deletion_of_is_not_handed_over() {
    let disk = tree(&[("m", 300, "unsorted_9")]);
    disk.put(layout().deletions().join("m"), b"5 6 00000000\n");
    let now = ManualClock::at(1_000_000).now();
    let error = run(hand_over(&store(&disk, &layout()), &DeletionLog::new(), now, &|_, _| {})).unwrap_err();
    assert!(error.to_string().contains("deletions/m"), "{error}");
    assert_eq!(original_live(&disk), [""; 0]);
    assert!(original_reads(&disk, "m").is_err());
}
