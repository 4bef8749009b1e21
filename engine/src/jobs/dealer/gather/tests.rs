mod support;

use std::cell::Cell;
use std::rc::Rc;

use proptest::prelude::*;

use super::*;
use crate::deletions::Deletions;
use crate::error::{Error, Verb};
use crate::format::pack::CodeHash;
use crate::testing::{Hooked, RawEpoch, raw_record, run, store};
use support::{EPOCH, NEWEST, at, code, deletions, gather, in_packs, is_as_naive, tree};

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
    assert_eq!(gathered.met.records.deleted, 4);
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
