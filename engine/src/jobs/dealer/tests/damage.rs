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
fn an_epoch_with_fewer_records_than_its_seals_count_is_not_dealt() {
    let disk = empty();
    let mut whole = RawEpoch::new(10, 2);
    whole.frame(0, &[raw_record("a", "1", Some("x"))]);
    whole.frame(1, &[raw_record("a", "2", Some("x"))]);
    whole.put(&disk, &layout(), true);
    // The lengths add up, but the second segment holds the first position once more, not the second.
    let mut other = RawEpoch::new(10, 2);
    other.frame(1, &[raw_record("a", "1", Some("x"))]);
    let elsewhere = MemDisk::new();
    other.put(&elsewhere, &layout(), true);
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
