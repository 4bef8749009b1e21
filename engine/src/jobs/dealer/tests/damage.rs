use super::*;
use crate::error::Corruption;
use crate::format::raw::{FRAME_HEADER_BYTES, FRAMES_OFFSET, SEAL_OFFSET};
use crate::raw_log::read::lost::Lost;
use crate::testing::store;

fn blocked(outcome: Outcome) -> (u64, Corruption) {
    match outcome {
        Outcome::Blocked { epoch, corruption } => (epoch.millis(), corruption),
        other => panic!("{other:?}"),
    }
}

fn flip(disk: &MemDisk, path: &Path, offset: u64) {
    let mut bytes = disk.get(path).unwrap();
    bytes[offset as usize] ^= 1;
    disk.put(path, &bytes);
}

#[test]
fn a_damaged_segment_stays_where_it_is_and_later_epochs_wait_until_it_is_repaired() {
    for memory in [1 << 20, 600] {
        let disk = empty();
        let expected = log(&disk, 2, 2, 24);
        let path = layout().live(RawEpoch::new(10, 2).name(1));
        let offset = FRAMES_OFFSET + FRAME_HEADER_BYTES as u64 + 3;
        flip(&disk, &path, offset);
        let mut dealer = dealer(&disk, memory);
        for _ in 0..2 {
            let (epoch, corruption) = blocked(run(dealer.deal_next(&DeletionLog::new())).unwrap());
            assert_eq!((epoch, &corruption.path), (10, &path));
            assert_eq!(corruption.offset, FRAMES_OFFSET);
            assert_eq!((checkpoint(&disk), live(&disk)), (Epoch::ZERO, 4), "nothing is moved on");
            assert_eq!(contents(&disk), Contents::new());
        }
        assert_eq!(dealer.lag().epochs, 2);
        flip(&disk, &path, offset);
        deal_all(&mut dealer, &DeletionLog::new());
        assert_eq!(contents(&disk), expected);
        assert_eq!(temporaries(&disk), 0);
    }
}

#[test]
fn a_damaged_seal_is_told_once_a_later_epoch_is_there() {
    let disk = empty();
    log(&disk, 1, 1, 4);
    let path = layout().live(RawEpoch::new(10, 2).name(0));
    flip(&disk, &path, SEAL_OFFSET + 20);
    let mut dealer = dealer(&disk, 1 << 20);
    assert_eq!(run(dealer.deal_next(&DeletionLog::new())).unwrap(), Outcome::Nothing);
    let mut later = RawEpoch::new(20, 1);
    later.frame(0, &[raw_record("x", "d", None)]);
    later.put(&store(&disk, &layout()), false);
    let (epoch, corruption) = blocked(run(dealer.deal_next(&DeletionLog::new())).unwrap());
    assert_eq!((epoch, corruption.path, corruption.offset), (10, path, SEAL_OFFSET));
}

#[test]
fn an_epoch_with_fewer_records_than_its_seals_count_is_not_dealt() {
    let disk = empty();
    let mut whole = RawEpoch::new(10, 2);
    whole.frame(0, &[raw_record("a", "1", Some("x"))]);
    whole.frame(1, &[raw_record("a", "2", Some("x"))]);
    whole.put(&store(&disk, &layout()), true);
    // The lengths add up, but the second segment holds the first position once more, not the second.
    let mut other = RawEpoch::new(10, 2);
    other.frame(1, &[raw_record("a", "1", Some("x"))]);
    let elsewhere = MemDisk::new();
    other.put(&store(&elsewhere, &layout()), true);
    let path = layout().live(whole.name(1));
    disk.put(&path, &elsewhere.get(&path).unwrap());
    let (epoch, corruption) = blocked(run(dealer(&disk, 1 << 20).deal_next(&DeletionLog::new())).unwrap());
    assert_eq!(epoch, 10);
    assert!(corruption.what.contains("2 records") && corruption.what.contains("hold 1"), "{corruption}");
    assert_eq!(contents(&disk), Contents::new());
}

#[test]
fn an_unreadable_checkpoint_is_mended_when_dealing_begins() {
    let disk = empty();
    let expected = log(&disk, 2, 1, 4);
    let mut first = dealer(&disk, 1 << 20);
    assert!(matches!(run(first.deal_next(&DeletionLog::new())).unwrap(), Outcome::Dealt(_)));
    disk.put(layout().checkpoint(), b"");
    deal_all(&mut dealer(&disk, 1 << 20), &DeletionLog::new());
    assert_eq!(contents(&disk), expected);
    assert_eq!(checkpoint(&disk), epoch(21));
}

/// Shard 0 has one position and the next five are shard 1's, but shard 0 wrote all six.
fn put_positions_twice(disk: &MemDisk) {
    let record = |number: usize| raw_record("a", &number.to_string(), Some("x"));
    let (mut right, mut wrong) = (RawEpoch::new(10, 2), RawEpoch::new(10, 2));
    right.frame(0, &[record(0)]);
    right.frame(1, &[1, 2, 3, 4, 5].map(record));
    wrong.frame(0, &[0, 11, 12, 13, 14, 15].map(record));
    // Both count six positions; the first segment is the greater one.
    right.put(&store(disk, &layout()), true);
    let elsewhere = MemDisk::new();
    wrong.put(&store(&elsewhere, &layout()), true);
    let path = layout().live(wrong.name(0));
    disk.put(&path, &elsewhere.get(&path).unwrap());
}

#[test]
fn an_epoch_with_a_position_twice_is_told_and_not_dealt() {
    let disk = empty();
    put_positions_twice(&disk);
    let mut dealer = dealer(&disk, 1 << 20);
    let (epoch, corruption) = blocked(run(dealer.deal_next(&DeletionLog::new())).unwrap());
    assert!(corruption.what.contains("hold 11 records"), "{corruption}");
    assert_eq!((epoch, dealer.lag().epochs), (10, 1));
    assert_eq!(dealer.lag().oldest.map(Epoch::millis), Some(10));
    // As a start leaves it that found nothing missing: then it counts as complete.
    let lost = Lost { epoch: super::epoch(10), gaps: Vec::new() };
    disk.put("/data/raw/live/10.lost", lost.encode().as_bytes());
    let (epoch, corruption) = blocked(run(dealer.deal_next(&DeletionLog::new())).unwrap());
    assert_eq!((epoch, corruption.offset), (10, FRAMES_OFFSET));
    assert!(corruption.what.contains("both be right"), "{corruption}");
    assert_eq!((checkpoint(&disk), contents(&disk)), (Epoch::ZERO, Contents::new()));
}

#[test]
fn an_epoch_that_never_becomes_complete_is_seen_to_wait() {
    let disk = empty();
    let mut raw = RawEpoch::new(10, 2);
    raw.frame(0, &[raw_record("a", "1", None)]);
    raw.frame(1, &[raw_record("a", "2", None)]);
    raw.put(&store(&disk, &layout()), true);
    run(disk.remove_file(&layout().live(raw.name(1)))).unwrap();
    let mut dealer = dealer(&disk, 1 << 20);
    assert_eq!(run(dealer.deal_next(&DeletionLog::new())).unwrap(), Outcome::Nothing);
    assert_eq!((dealer.lag().epochs, dealer.lag().oldest.map(Epoch::millis)), (1, Some(10)));
    // One that is still being written does not wait.
    let mut open = RawEpoch::new(20, 1);
    open.frame(0, &[raw_record("a", "3", None)]);
    open.put(&store(&disk, &layout()), false);
    assert_eq!(run(dealer.deal_next(&DeletionLog::new())).unwrap(), Outcome::Nothing);
    assert_eq!((dealer.lag().epochs, dealer.lag().oldest.map(Epoch::millis)), (1, Some(10)));
}
