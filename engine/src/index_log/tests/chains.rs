//! What counts and what doesn't, and when there is something to do.

use crate::testing::store;
use std::collections::BTreeSet;

use super::model::State;
use super::tree::{
    clean, code, deal, deal_legacy, empty_index, encode, epoch, layout, limits, look, optimize, sort, state,
};
use crate::error::Error;
use crate::format::names::{SegmentKind, SegmentName};
use crate::ids::{IndexCode, Position};
use crate::index_log::chain::{Chain, ChainSegment};
use crate::index_log::index_store::{Bounds, IndexStore};
use crate::index_log::record::Record;
use crate::index_log::verify::verify_index;
use crate::io::disk::Disk;
use crate::jobs::optimizer::is_worth;
use crate::jobs::sorter::needs_sort;
use crate::limits::MIB;
use crate::testing::{Hooked, MemDisk, Stepped, run};

fn set(docid: &str, value: u64) -> Record {
    Record {
        timestamp_ms: Some(1),
        docid: docid.into(),
        variables: Some([(0, value)].into()),
        ..Record::default()
    }
}

fn all() -> crate::limits::Limits {
    limits(16 * MIB as usize)
}

#[test]
fn an_index_that_is_not_there_is_empty_and_stays_not_there() {
    let disk = MemDisk::new();
    let unknown = IndexCode::new(b"unknown").unwrap();
    let chain = run(IndexStore::new(&store(&disk, &layout()), &unknown, Bounds::ALL).chain()).unwrap();
    assert_eq!(chain, Chain::default());
    assert_eq!(
        run(IndexStore::new(&store(&disk, &layout()), &unknown, Bounds::ALL).sort(&all())).unwrap().published,
        []
    );
    let optimized =
        run(IndexStore::new(&store(&disk, &layout()), &unknown, Bounds::ALL).optimize(&all(), None)).unwrap();
    assert_eq!(optimized.published, None);
    assert!(disk.files().is_empty());
    assert!(run(disk.metadata(&layout().index(&unknown))).unwrap().is_none());
}

#[test]
fn only_what_is_before_the_checkpoint_and_not_deleted_is_merged() {
    let disk = empty_index();
    for time in 1..=6 {
        run(deal(&disk, epoch(time), &[set("a", time)])).unwrap();
    }
    let deletion = Some(Position::new(epoch(3), 77));
    let chain =
        run(IndexStore::new(&store(&disk, &layout()), &code(), Bounds { checkpoint: epoch(5), deletion })
            .chain())
        .unwrap();
    let times = |names: &[SegmentName]| names.iter().map(|name| name.time.millis()).collect::<Vec<_>>();
    assert_eq!((times(&chain.deleted), times(&chain.undealt)), (vec![1, 2], vec![5, 6]));
    let sorted =
        run(IndexStore::new(&store(&disk, &layout()), &code(), Bounds { checkpoint: epoch(5), deletion })
            .sort(&all()))
        .unwrap();
    assert_eq!((times(&sorted.published), sorted.counts.records_in), (vec![3], 2));
    let names: Vec<String> =
        disk.files().iter().map(|path| path.file_name().unwrap().to_str().unwrap().into()).collect();
    let segments: Vec<&str> =
        names.iter().filter(|name| !name.ends_with(".sum")).map(|name| &name[20..]).collect();
    assert_eq!(
        segments,
        ["001.unsorted_1", "002.unsorted_1", "003.sorted_1", "005.unsorted_1", "006.unsorted_1"]
    );
}

#[test]
fn unsorted_segments_between_sorted_ones_keep_their_place() {
    // As after a repair by hand: the sort of epochs 1 and 3 was made without epoch 2.
    let disk = empty_index();
    for time in [1, 3] {
        run(deal(&disk, epoch(time), &[set("a", time), set(&time.to_string(), time)])).unwrap();
        run(sort(&disk, &all())).unwrap();
    }
    deal_legacy(&disk, epoch(2), &[set("a", 2), set("3", 2)]);
    deal_legacy(&disk, epoch(4), &[set("4", 4)]);
    let expected =
        State::after(&[set("a", 1), set("1", 1), set("3", 2), set("a", 3), set("3", 3), set("4", 4)]);
    assert_eq!(run(state(&disk)).unwrap(), expected);
    let optimized = run(optimize(&disk, &all())).unwrap();
    assert_eq!(optimized.segments, 1, "not beyond what is unsorted");
    assert_eq!(run(state(&disk)).unwrap(), expected);
    assert_eq!(run(sort(&disk, &all())).unwrap().published.len(), 2);
    assert_eq!(run(state(&disk)).unwrap(), expected);
    assert_eq!(run(optimize(&disk, &all())).unwrap().segments, 4);
    assert_eq!(run(state(&disk)).unwrap(), expected);
}

#[test]
fn two_sorted_segments_of_one_time_are_both_applied_the_longer_one_last() {
    // A crash of the original after a sort, before its first input was removed: the next sort took the same
    // inputs and one more, and named its result by the same time.
    let disk = empty_index();
    for records in [vec![set("a", 1)], vec![set("a", 2), set("b", 2)]] {
        let name = SegmentName { time: epoch(1), kind: SegmentKind::Sorted, records: records.len() as u64 };
        disk.put(layout().segment(&code(), name), &encode(&records));
    }
    deal_legacy(&disk, epoch(1), &[set("a", 1)]);
    let expected = State::after(&[set("a", 2), set("b", 2)]);
    assert_eq!(run(state(&disk)).unwrap(), expected);
    let chain = run(look(&disk)).unwrap();
    assert_eq!((chain.sorted.len(), chain.unsorted.len(), chain.superseded.len()), (2, 0, 1));
    assert_eq!(chain.leftovers, [], "a name alone is not enough to remove anything");
    assert_eq!(run(optimize(&disk, &all())).unwrap().segments, 2);
    assert_eq!(run(state(&disk)).unwrap(), expected);
}

#[test]
fn a_name_that_is_taken_by_something_else_is_not_replaced() {
    let disk = empty_index();
    run(deal(&disk, epoch(1), &[set("a", 1)])).unwrap();
    let again = run(deal(&disk, epoch(1), &[set("a", 1)])).unwrap();
    assert_eq!(again.records, 1, "the same segment may be published again");
    let files = disk.files();
    let before: Vec<_> = files.iter().map(|path| disk.get(path)).collect();
    assert!(matches!(run(deal(&disk, epoch(1), &[set("b", 1)])), Err(Error::Corrupt(_))));
    assert_eq!(disk.files(), files);
    assert_eq!(files.iter().map(|path| disk.get(path)).collect::<Vec<_>>(), before);
}

/// Takes each segment away in turn, with the sidecar left; returns those of which the chain says that they are gone.
fn gone_without(disk: &MemDisk) -> Vec<(SegmentKind, u64)> {
    let chain = run(look(disk)).unwrap();
    let mut names: Vec<SegmentName> = chain.in_order().map(|segment| segment.name).collect();
    names.extend(&chain.superseded);
    let mut gone = Vec::new();
    for name in names {
        let path = layout().segment(&code(), name);
        let bytes = disk.get(&path).unwrap();
        run(disk.remove_file(&path)).unwrap();
        let chain = run(look(disk)).unwrap();
        match chain.whole() {
            Ok(()) => {}
            Err(corruption) => {
                assert_eq!(corruption.path, path);
                gone.push((name.kind, name.time.millis()));
                // Whoever would merge over the hole is stopped.
                assert!(matches!(run(sort(disk, &all())), Err(Error::Corrupt(found)) if found == corruption));
                assert!(matches!(run(optimize(disk, &all())), Err(Error::Corrupt(_))));
                let verified =
                    run(verify_index(&store(disk, &layout()), &code(), &all(), &BTreeSet::new())).unwrap();
                assert_eq!(verified.findings, [corruption]);
            }
        }
        disk.put(&path, &bytes);
    }
    gone.sort();
    assert!(run(look(disk)).unwrap().whole().is_ok(), "all is back");
    gone
}

#[test]
fn a_segment_whose_sidecar_is_alone_is_gone_unless_others_hold_it() {
    use SegmentKind::{Optimized, Sorted, Unsorted};
    let disk = empty_index();
    disk.put(layout().checkpoint(), b"100");
    for time in 1..=3 {
        run(deal(&disk, epoch(time), &[set("a", time)])).unwrap();
    }
    assert_eq!(gone_without(&disk), [(Unsorted, 1), (Unsorted, 2), (Unsorted, 3)]);
    run(sort(&disk, &all())).unwrap();
    run(deal(&disk, epoch(4), &[set("a", 4)])).unwrap();
    assert_eq!(gone_without(&disk), [(Unsorted, 4), (Sorted, 1)]);
    run(sort(&disk, &all())).unwrap();
    run(optimize(&disk, &all())).unwrap();
    run(deal(&disk, epoch(5), &[set("a", 5)])).unwrap();
    assert_eq!(gone_without(&disk), [(Unsorted, 5)], "what was optimized is still there");
    // A power cut may bring back what was cleaned away, without its sidecar.
    let superseded = run(look(&disk)).unwrap().superseded;
    let first = superseded.iter().find(|name| (name.kind, name.time) == (Sorted, epoch(1))).unwrap();
    let path = layout().segment(&code(), *first);
    let bytes = disk.get(&path).unwrap();
    run(clean(&disk)).unwrap();
    assert_eq!(gone_without(&disk), [(Unsorted, 5), (Optimized, 4)]);
    disk.put(&path, &bytes);
    assert_eq!(gone_without(&disk), [(Optimized, 4)], "it may hold what is unsorted, and nothing optimized");
}

#[test]
fn the_sidecar_of_a_merge_that_was_never_published_says_nothing() {
    for sorted_first in [true, false] {
        let disk = empty_index();
        for time in 1..=3 {
            run(deal(&disk, epoch(time), &[set("a", time)])).unwrap();
        }
        if sorted_first {
            run(sort(&disk, &all())).unwrap();
        }
        for calls in 0.. {
            let copy = empty_index();
            for path in disk.files() {
                copy.put(&path, &disk.get(&path).unwrap());
            }
            let (slow, limits) = (Hooked::stepping(copy.clone()), all());
            let ended = if sorted_first {
                Stepped::new(optimize(&slow, &limits)).steps(calls).is_some()
            } else {
                Stepped::new(sort(&slow, &limits)).steps(calls).is_some()
            };
            run(look(&copy)).unwrap().whole().unwrap();
            if ended {
                break;
            }
        }
    }
}

fn segments(kind: SegmentKind, records: &[u64], bytes: u64) -> Vec<ChainSegment> {
    let segment = |(time, &records)| {
        let name = SegmentName { time: epoch(time), kind, records };
        let epochs = crate::format::index::EpochRange::only(name.time);
        ChainSegment { name, bytes, epochs, inferred: false }
    };
    (1..).zip(records).map(segment).collect()
}

#[test]
fn more_than_30_unsorted_segments_or_30_mib_of_them_need_a_sort() {
    let chain = |count, bytes| Chain {
        unsorted: segments(SegmentKind::Unsorted, &vec![1; count], bytes),
        ..Chain::default()
    };
    assert!(!needs_sort(&chain(30, MIB), 30));
    assert!(needs_sort(&chain(31, 1), 30));
    assert!(needs_sort(&chain(30, MIB + 1), 30));
}

#[test]
fn optimizing_is_worth_it_by_the_share_of_unoptimized_records() {
    let chain = |optimized: Option<u64>, sorted: &[u64], unsorted: &[u64]| Chain {
        optimized: optimized.map(|records| segments(SegmentKind::Optimized, &[records], 1)[0]),
        sorted: segments(SegmentKind::Sorted, sorted, 1),
        unsorted: segments(SegmentKind::Unsorted, unsorted, 1),
        ..Chain::default()
    };
    assert_eq!(is_worth(&chain(Some(100), &[10, 10, 10, 10], &[])), None, "four segments");
    assert_eq!(
        is_worth(&chain(Some(100), &[5, 5, 5, 5], &[5, 5])),
        Some(0.3 * 5.0),
        "unsorted ones count as one"
    );
    assert_eq!(is_worth(&chain(Some(100), &[2, 2, 2, 2, 2], &[])), None, "exactly 10 %");
    assert_eq!(is_worth(&chain(Some(100), &[2, 2, 2, 2, 3], &[])), Some(0.11 * 5.0));
    assert_eq!(is_worth(&chain(Some(1), &[100; 6], &[])), Some(12.0), "the ratio counts at most as 2");
    assert_eq!(is_worth(&chain(None, &[1; 5], &[])), Some(10.0), "never optimized");
    assert_eq!(is_worth(&chain(Some(0), &[1; 5], &[])), Some(10.0), "optimized to nothing");
    assert_eq!(is_worth(&chain(None, &[0; 5], &[])), None, "no records");
}
