use super::*;
use crate::testing::store;

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
    open.put(&store(&disk, &layout()), false);
    let mut dealer = dealer(&disk, 1 << 20);
    assert_eq!(deal_all(&mut dealer, &DeletionLog::new()).len(), 1);
    assert_eq!(checkpoint(&disk), epoch(11));
    open.put(&store(&disk, &layout()), true);
    assert_eq!(deal_all(&mut dealer, &DeletionLog::new()).len(), 3);
    assert_eq!(contents(&disk)["x"], [("d".to_owned(), String::new())]);
}
