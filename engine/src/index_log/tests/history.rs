//! Any history of changes, split in any way, sorted, optimized and cleaned in any order, comes to the same.

use crate::testing::store;
use std::collections::BTreeSet;

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

use super::model::State;
use super::tree::{
    clean, deal, deal_legacy, empty_index, epoch, limits, look, optimize, recover, sort, state,
};
use crate::index_log::chain::Chain;
use crate::index_log::docid;
use crate::index_log::record::Record;
use crate::index_log::verify::verify_index;
use crate::limits::MIB;
use crate::testing::{MemDisk, run};

/// Few docids, so that they meet; around each place where the order by UTF-16 differs from that of bytes.
pub(super) const DOCIDS: [&str; 9] =
    ["", "a", "ab", "é", "\u{D7FF}", "\u{E000}", "\u{FFFF}x", "\u{10000}", "\u{10FFFF}"];

fn strings() -> impl Strategy<Value = std::collections::BTreeMap<Vec<u8>, Vec<u8>>> {
    btree_map("[a-c]".prop_map(String::into_bytes), "[x-z]{0,2}".prop_map(String::into_bytes), 0..3)
}

pub(super) fn record() -> impl Strategy<Value = Record> {
    // NaN with a payload, both zeros: bits must survive.
    let double = prop_oneof![Just(0x7FF8_0000_0000_0001u64), Just(0), Just(1 << 63), any::<u64>()];
    let content =
        (option::of(strings()), option::of(btree_map(0..3i32, double, 0..3)), option::of(strings()));
    (proptest::sample::select(&DOCIDS[..]), prop::bool::weighted(0.3), 0..1_000i64, content).prop_map(
        |(docid, deleted, timestamp_ms, (fields, variables, categories))| Record {
            timestamp_ms: Some(timestamp_ms),
            docid: docid.into(),
            deleted,
            fields,
            variables,
            categories,
        },
    )
}

#[derive(Clone, Debug)]
enum Step {
    Deal { records: Vec<Record>, legacy: bool },
    Sort,
    Optimize,
    Clean,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (vec(record(), 1..12), any::<bool>()).prop_map(|(records, legacy)| Step::Deal { records, legacy }),
        2 => Just(Step::Sort),
        1 => Just(Step::Optimize),
        1 => Just(Step::Clean),
    ]
}

fn check_chain(disk: &MemDisk, chain: &Chain) {
    let times: Vec<_> = chain.in_order().map(|segment| (segment.epochs.first, segment.epochs.last)).collect();
    assert!(times.windows(2).all(|pair| pair[0].1 < pair[1].0), "the stretches follow each other: {times:?}");
    assert!(chain.leftovers.is_empty() && chain.orphans.is_empty());
    for segment in chain.optimized.iter().chain(&chain.sorted) {
        let records = run(super::tree::read_segment(disk, segment.name, 100)).unwrap();
        let ordered = |pair: &[Record]| docid::compare(&pair[0].docid, &pair[1].docid).is_lt();
        assert!(records.windows(2).all(ordered), "by docid, each once");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn the_state_is_the_models_after_every_step(steps in vec(step(), 1..14)) {
        let disk = empty_index();
        let limits = limits(16 * MIB as usize);
        let mut history = Vec::new();
        for (time, step) in (1u64..).zip(steps) {
            match step {
                Step::Deal { records, legacy } => {
                    if legacy {
                        deal_legacy(&disk, epoch(time), &records);
                    } else {
                        run(deal(&disk, epoch(time), &records)).unwrap();
                    }
                    history.extend(records);
                }
                Step::Sort => {
                    run(sort(&disk, &limits)).unwrap();
                    prop_assert!(run(look(&disk)).unwrap().unsorted.is_empty());
                }
                Step::Optimize => {
                    let unsorted = run(look(&disk)).unwrap().unsorted;
                    run(optimize(&disk, &limits)).unwrap();
                    let chain = run(look(&disk)).unwrap();
                    prop_assert!(chain.sorted.is_empty());
                    prop_assert_eq!(chain.unsorted, unsorted);
                }
                Step::Clean => run(clean(&disk)).unwrap(),
            }
            prop_assert_eq!(run(state(&disk)).unwrap(), State::after(&history));
            check_chain(&disk, &run(look(&disk)).unwrap());
        }
        let verified = run(verify_index(&store(&disk, &super::tree::layout()), &super::tree::code(), &limits, &BTreeSet::new())).unwrap();
        prop_assert_eq!(verified.findings, []);
    }

    #[test]
    fn a_page_may_begin_wherever_one_ended_and_holds_whole_records(
        records in vec((record(), 0usize..60_000), 1..20),
        page_bytes in 0u64..200_000,
    ) {
        // Long docids, so that records lie across blocks.
        let records: Vec<Record> = records
            .into_iter()
            .map(|(record, length)| Record { docid: [record.docid, vec![b'x'; length]].concat(), ..record })
            .collect();
        let disk = empty_index();
        let name = run(deal(&disk, epoch(1), &records)).unwrap();
        prop_assert_eq!(run(super::tree::read_segment(&disk, name, page_bytes)).unwrap(), records);
    }

    #[test]
    fn applying_a_stretch_again_changes_nothing(records in vec(record(), 1..30), from: prop::sample::Index) {
        let state = State::after(&records);
        let mut again = state.clone();
        records[from.index(records.len())..].iter().for_each(|record| again.apply(record));
        prop_assert_eq!(again, state);
    }

    #[test]
    fn merging_is_associative(records in vec(record(), 3), ) {
        let [a, b, c] = [0, 1, 2].map(|n: usize| Record { docid: b"d".to_vec(), ..records[n].clone() });
        let merged = |mut older: Record, newer: &Record| { older.merge(newer.clone()); older };
        prop_assert_eq!(merged(merged(a.clone(), &b), &c), merged(a, &merged(b, &c)));
    }
}

#[test]
fn an_optimization_of_many_sorted_segments_goes_on_where_the_last_one_ended() {
    let disk = empty_index();
    let limits = limits(256 * MIB as usize);
    let mut history = Vec::new();
    for time in 1..=100u64 {
        let record = Record {
            timestamp_ms: Some(0),
            docid: DOCIDS[time as usize % DOCIDS.len()].into(),
            deleted: time % 7 == 0,
            variables: (time % 5 != 0).then(|| [(time as i32 % 3, time)].into()),
            ..Record::default()
        };
        run(deal(&disk, epoch(time), std::slice::from_ref(&record))).unwrap();
        run(sort(&disk, &limits)).unwrap();
        history.push(record);
    }
    let mut segments = Vec::new();
    loop {
        let optimized = run(optimize(&disk, &limits)).unwrap();
        assert_eq!(run(state(&disk)).unwrap(), State::after(&history));
        if optimized.published.is_none() {
            break;
        }
        segments.push(optimized.segments);
    }
    assert_eq!(segments, [40, 40, 22], "at most 40 at once, the optimized one among them");
    assert_eq!(run(recover(&disk)).unwrap().len(), State::after(&history).0.len(), "no deletion is left");
}
