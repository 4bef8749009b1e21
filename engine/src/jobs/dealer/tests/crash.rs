use super::*;
use crate::testing::store;

#[test]
fn a_crash_between_any_two_calls_is_repaired_by_running_again() {
    // Few indexes are synced one by one, many together; little memory makes several passes, and pieces.
    let shapes = [(2, 2, 8, 1 << 20, 1), (1, 16, 16, 1 << 20, 1), (1, 2, 24, 600, 1), (1, 34, 34, 8_000, 5)];
    for (epochs, indexes, records, memory, stride) in shapes {
        let expected = log(&empty(), epochs, indexes, records);
        let mut half_segments = 0;
        for steps in (0..).step_by(stride) {
            let disk = empty();
            log(&disk, epochs, indexes, records);
            let slow = Hooked::stepping(disk.clone());
            let deletions = DeletionLog::new();
            let mut first = dealer(&slow, memory);
            let ended = Stepped::new(async {
                while first.deal_next(&deletions).await.unwrap() != Outcome::Nothing {}
            })
            .steps(steps)
            .is_some();
            let half = contents(&disk);
            assert_eq!(findings(&disk, &run(undealt(&store(&disk, &layout()))).unwrap()), []);
            half_segments += findings(&disk, &BTreeSet::new()).len();
            for (index, records) in &half {
                assert!(expected[index].starts_with(records), "what counts as dealt is a beginning");
            }
            deal_all(&mut dealer(&disk, memory), &DeletionLog::new());
            assert_eq!(contents(&disk), expected, "{indexes} indexes, crash after {steps} calls");
            assert_eq!((live(&disk), temporaries(&disk)), (0, 0));
            if ended {
                assert!(steps > 30, "it was interrupted in many places");
                let in_pieces = memory == 600;
                assert!(
                    half_segments > 0 || in_pieces,
                    "also within segments, which a verification passes over"
                );
                assert_eq!(findings(&disk, &BTreeSet::new()), []);
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
        let mut dealer = dealer(&Hooked::stepping(disk.clone()), 5_000);
        let ended = Stepped::new(dealer.deal_next(&deletions)).steps(steps).is_some();
        deal_all(&mut dealer, &deletions);
        assert_eq!(contents(&disk), expected, "after {steps} calls");
        assert_eq!((live(&disk), temporaries(&disk)), (0, 0));
        if ended {
            break;
        }
    }
}

#[test]
fn a_power_cut_between_any_two_calls_loses_nothing_that_was_dealt() {
    for (epochs, indexes, records, memory, stride) in
        [(2, 2, 8, 1 << 20, 1), (1, 16, 16, 1 << 20, 1), (1, 2, 24, 600, 1)]
    {
        let fresh = empty();
        let expected = log(&fresh, epochs, indexes, records);
        for steps in (0..).step_by(stride) {
            let disk = fresh.copy();
            let slow = Hooked::stepping(disk.clone());
            let deletions = DeletionLog::new();
            let mut first = dealer(&slow, memory);
            let ended = Stepped::new(async {
                while first.deal_next(&deletions).await.unwrap() != Outcome::Nothing {}
            })
            .steps(steps)
            .is_some();
            for cut in Cut::each(steps) {
                let disk = disk.after(cut);
                for (index, records) in &contents(&disk) {
                    assert!(expected[index].starts_with(records), "what counts as dealt is there");
                }
                assert_eq!(findings(&disk, &run(undealt(&store(&disk, &layout()))).unwrap()), []);
                deal_all(&mut dealer(&disk, memory), &DeletionLog::new());
                disk.restart(Cut::Power);
                assert_eq!(contents(&disk), expected, "{indexes} indexes, {cut:?} after {steps} calls");
                assert_eq!(findings(&disk, &BTreeSet::new()), []);
                assert_eq!((live(&disk), temporaries(&disk)), (0, 0));
            }
            if ended {
                break;
            }
        }
    }
}

#[test]
fn a_crash_and_a_power_cut_after_the_next_dealing_lose_nothing() {
    // What a process created and never synced is visible to the next one, which must not rely on it.
    let fresh = empty();
    let expected = log(&fresh, 1, 2, 8);
    for steps in 0.. {
        let disk = fresh.copy();
        let slow = Hooked::stepping(disk.clone());
        let deletions = DeletionLog::new();
        let mut first = dealer(&slow, 1 << 20);
        let ended = Stepped::new(first.deal_next(&deletions)).steps(steps).is_some();
        deal_all(&mut dealer(&disk, 1 << 20), &DeletionLog::new());
        for cut in Cut::each(steps) {
            assert_eq!(contents(&disk.after(cut)), expected, "crash after {steps} calls, then {cut:?}");
        }
        if ended {
            break;
        }
    }
}
