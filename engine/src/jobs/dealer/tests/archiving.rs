//! What happens to raw segments beside dealing, and behind it.

use crate::testing::store;
use std::cell::Cell;
use std::rc::Rc;

use super::*;
use crate::error::{DiskError, Verb};
use crate::io::disk::DiskResult;
use crate::testing::Hooked;

#[test]
fn a_ready_segment_that_gets_its_name_at_any_call_is_dealt_all_the_same() {
    for call in 0.. {
        let disk = empty();
        let expected = log(&disk, 1, 2, 8);
        let named = layout().live(RawEpoch::new(10, 2).name(1));
        let ready = layout().raw_live().join("ready-7.rawlog");
        run(disk.rename(&named, &ready)).unwrap();
        let (calls, inner) = (Rc::new(Cell::new(0)), disk.clone());
        let counted = calls.clone();
        let hooked = Hooked::new(disk.clone(), move |_, _| {
            if counted.replace(counted.get() + 1) == call {
                // Not there any more if it was moved to history before it got its name.
                let _ = run(inner.rename(&ready, &named));
            }
            Ok(())
        });
        let dealt = deal_all(&mut dealer(&hooked, 1 << 20), &DeletionLog::new());
        let told: Vec<_> = dealt.iter().map(|dealt| (dealt.records(), dealt.archived_files)).collect();
        assert_eq!(told, [(8, 2)], "named at call {call}");
        assert_eq!(contents(&disk), expected, "named at call {call}");
        assert_eq!(live(&disk), 0, "named at call {call}");
        if calls.get() <= call {
            assert!(call > 30, "it was named at many calls");
            break;
        }
    }
}

#[test]
fn what_was_dealt_is_told_before_what_moving_its_segments_met() {
    let disk = empty();
    let expected = log(&disk, 1, 2, 8);
    let fails = Rc::new(Cell::new(true));
    let failing = fails.clone();
    let hooked = Hooked::new(disk.clone(), move |verb, path| -> DiskResult<()> {
        if failing.get() && verb == Verb::Rename && path.starts_with(layout().raw_live()) {
            return Err(DiskError::new(Verb::Rename, path, std::io::ErrorKind::PermissionDenied.into()));
        }
        Ok(())
    });
    let (mut dealer, deletions) = (dealer(&hooked, 1 << 20), DeletionLog::new());
    let Outcome::Dealt(dealt) = run(dealer.deal_next(&deletions)).unwrap() else { panic!("not dealt") };
    assert_eq!((dealt.records(), dealt.archived_files), (8, 0));
    for _ in 0..2 {
        let error = run(dealer.deal_next(&deletions)).unwrap_err();
        assert!(error.to_string().contains("rename"), "{error}");
    }
    fails.set(false);
    assert_eq!(run(dealer.deal_next(&deletions)).unwrap(), Outcome::Nothing);
    assert_eq!((contents(&disk), live(&disk)), (expected, 0));
}

#[test]
fn what_was_never_dealt_is_not_moved_but_reported() {
    let disk = empty();
    let expected = log(&disk, 1, 2, 8);
    let mut stray = RawEpoch::new(5, 1);
    stray.frame(0, &[crate::testing::raw_record("m", "stray", Some("x"))]);
    let (mut dealer, deletions) = (dealer(&disk, 1 << 20), DeletionLog::new());
    assert!(matches!(run(dealer.deal_next(&deletions)).unwrap(), Outcome::Dealt(_)));
    assert_eq!(run(dealer.deal_next(&deletions)).unwrap(), Outcome::Nothing);
    assert!(dealer.strays().is_empty());
    stray.put(&store(&disk, &layout()), true);
    for _ in 0..2 {
        assert_eq!(run(dealer.deal_next(&deletions)).unwrap(), Outcome::Nothing);
        let strays: Vec<_> = dealer.strays().iter().map(|stray| stray.path.clone()).collect();
        assert_eq!(strays, [layout().live(stray.name(0))]);
        assert_eq!((contents(&disk), live(&disk)), (expected.clone(), 1));
    }
    // Who knows better moves it away.
    run(disk.rename(&layout().live(stray.name(0)), &layout().history(stray.name(0)))).unwrap();
    assert_eq!(run(dealer.deal_next(&deletions)).unwrap(), Outcome::Nothing);
    assert!(dealer.strays().is_empty());
}

#[test]
fn what_is_written_down_as_dealt_is_moved_by_the_next_dealer() {
    let disk = empty();
    let expected = log(&disk, 1, 2, 8);
    let (mut first, deletions) = (dealer(&disk, 1 << 20), DeletionLog::new());
    assert!(matches!(run(first.deal_next(&deletions)).unwrap(), Outcome::Dealt(_)));
    let mut late = RawEpoch::new(5, 1);
    late.frame(0, &[crate::testing::raw_record("m", "late", Some("x"))]);
    late.put(&store(&disk, &layout()), true);
    disk.put(layout().unarchived(), b"5\n");
    let mut next = dealer(&disk, 1 << 20);
    assert_eq!(run(next.deal_next(&deletions)).unwrap(), Outcome::Nothing);
    assert!(next.strays().is_empty());
    assert_eq!((contents(&disk), live(&disk)), (expected, 0));
    assert_eq!(disk.get(layout().unarchived()), None, "nothing waits any more");
}
