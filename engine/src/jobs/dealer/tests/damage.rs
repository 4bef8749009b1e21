use super::*;
use crate::error::Corruption;
use crate::format::raw::{FRAME_HEADER_BYTES, FRAMES_OFFSET, SEAL_OFFSET};

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
            assert_eq!((checkpoint(&disk), live(&disk)), (super::epoch(10), 4));
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
    later.put(&disk, &layout(), false);
    let (epoch, corruption) = blocked(run(dealer.deal_next(&DeletionLog::new())).unwrap());
    assert_eq!((epoch, corruption.path, corruption.offset), (10, path, SEAL_OFFSET));
}

#[test]
fn a_segment_that_misses_records_that_its_seal_counts_is_not_dealt() {
    let disk = empty();
    let mut raw = RawEpoch::new(10, 2);
    raw.frame(0, &[raw_record("a", "1", Some("x"))]);
    let mut more = raw.clone();
    more.frame(1, &[raw_record("a", "2", Some("x"))]);
    more.put(&disk, &layout(), true);
    // The second shard's file is an earlier, shorter one whose seal does not know how many there are in all.
    disk.put(layout().live(raw.name(1)), &{
        let other = MemDisk::new();
        raw.put(&other, &layout(), true);
        other.get(layout().live(raw.name(1))).unwrap()
    });
    let outcome = run(dealer(&disk, 1 << 20).deal_next(&DeletionLog::new())).unwrap();
    match outcome {
        // Its segments don't add up, so it is not complete; or it is, and then something is missing.
        Outcome::Nothing | Outcome::Blocked { .. } => {}
        Outcome::Dealt(dealt) => panic!("{dealt:?}"),
    }
    assert!(checkpoint(&disk) <= epoch(10));
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
