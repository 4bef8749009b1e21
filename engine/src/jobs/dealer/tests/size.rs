use crate::testing::store;
use std::cell::RefCell;
use std::rc::Rc;

use super::*;
use crate::error::Verb;
use crate::testing::Hooked;

/// An epoch in which each of `indexes` indexes has one record.
fn wide(disk: &MemDisk, millis: u64, indexes: usize) {
    let mut raw = RawEpoch::new(millis, 1);
    let records: Vec<_> = (0..indexes).map(|index| raw_record(&format!("i{index}"), "d", None)).collect();
    for frame in records.chunks(1_000) {
        raw.frame(0, frame);
    }
    raw.put(&store(disk, &layout()), true);
}

#[test]
fn calls_per_index_are_few_and_syncs_do_not_grow_with_indexes() {
    for (indexes, again) in [(1, true), (1_000, true), (20_000, false)] {
        let counts: Rc<RefCell<BTreeMap<Verb, usize>>> = Rc::default();
        let of = |verb| counts.borrow().get(&verb).copied().unwrap_or_default();
        let memory = empty();
        let disk = Hooked::new(memory.clone(), {
            let counts = counts.clone();
            move |call, _| {
                *counts.borrow_mut().entry(call).or_default() += 1;
                Ok(())
            }
        });
        wide(&memory, 10, indexes);
        let mut dealer = dealer(&disk, 64 << 20);
        assert!(matches!(run(dealer.deal_next(&DeletionLog::new())).unwrap(), Outcome::Dealt(_)));
        assert_eq!(of(Verb::Mkdir), indexes, "the first time their folders are created");
        assert!(of(Verb::Create) <= 3 * indexes + 6 && of(Verb::Rename) <= 6);
        assert!(of(Verb::Fsync) + of(Verb::Fdatasync) + of(Verb::Syncfs) < 20);
        if !again {
            continue;
        }
        counts.borrow_mut().clear();
        wide(&memory, 20, indexes);
        let Outcome::Dealt(dealt) = run(dealer.deal_next(&DeletionLog::new())).unwrap() else { panic!() };
        assert_eq!((dealt.indexes.len(), dealt.records(), dealt.passes), (indexes, indexes as u64, 1));
        assert_eq!(of(Verb::Mkdir), 0);
        // Two files for each index, and some calls for all.
        assert!(of(Verb::Create) <= 2 * indexes + 2 && of(Verb::Write) <= 2 * indexes + 2);
        assert!(of(Verb::Rename) <= 3);
        assert!(of(Verb::List) < 10 && of(Verb::Stat) + of(Verb::Open) < 20);
        assert!(of(Verb::Fsync) + of(Verb::Fdatasync) + of(Verb::Syncfs) < 12);
        assert_eq!(of(Verb::Syncfs), if indexes < 16 { 0 } else { 1 });
        let segments = memory
            .files()
            .into_iter()
            .filter(|path| path.to_str().is_some_and(|path| path.ends_with(".unsorted_1")));
        assert_eq!(segments.count(), 2 * indexes);
    }
}

#[test]
fn an_epoch_longer_than_memory_takes_several_passes() {
    let disk = empty();
    let expected = log(&disk, 1, 200, 4_000);
    let dealt = deal_all(&mut dealer(&disk, 100_000), &DeletionLog::new());
    assert_eq!(contents(&disk), expected);
    assert!((2..=6).contains(&dealt[0].passes), "{}", dealt[0].passes);
    assert_eq!((dealt[0].indexes.len(), dealt[0].records()), (200, 4_000));
    assert!(dealt[0].indexes.is_sorted_by(|a, b| a.code < b.code));
}

#[test]
fn segments_of_any_length_arrive_whole() {
    let disk = empty();
    let mut raw = RawEpoch::new(10, 1);
    // Below and above what is written directly, and over several writes.
    let texts = [1_000, 300_000, 3_000_000].map(|length| "x".repeat(length));
    for (index, text) in texts.iter().enumerate() {
        raw.frame(0, &[raw_record(&format!("i{index}"), "d", Some(text))]);
    }
    raw.put(&store(&disk, &layout()), true);
    deal_all(&mut dealer(&disk, 64 << 20), &DeletionLog::new());
    let contents = contents(&disk);
    for (index, text) in texts.iter().enumerate() {
        assert!(contents[&format!("i{index}")] == [("d".to_owned(), text.clone())]);
    }
}
