use crate::testing::store;
use std::cell::Cell;
use std::rc::Rc;

use super::*;
use crate::deletions::archive::{names, take_over, verify};
use crate::deletions::{encode, load_one};
use crate::format::names::{RawName, SegmentName, is_temporary};
use crate::io::disk::Transfer;
use crate::raw_log::read::live::LiveView;
use crate::raw_log::recover::recover;
use crate::raw_log::test_support::{Cut, SegmentBytes, layout, position, raw_disk};
use crate::testing::{Hooked, MemDisk, run};
use crate::time::WallMillis;

fn code(text: &str) -> IndexCode {
    IndexCode::new(text.as_bytes()).unwrap()
}

fn name() -> ArchivedName {
    ArchivedName { before: position(12, 1), code: code("m") }
}

#[test]
fn names_round_trip_and_are_nothing_else() {
    for text in ["m", "a-b", "x.raw", "1-2", "9.deleted", "A_b.c-d"] {
        let name = ArchivedName { before: position(1_795_343_512_642, 17), code: code(text) };
        let written = name.to_string();
        assert_eq!(ArchivedName::parse(&written), Some(name), "{written}");
        assert_eq!(RawName::parse(&written), None);
        assert_eq!(SegmentName::parse(&written), None);
        assert!(!is_temporary(&written) && written.ends_with(".deleted"));
    }
    for other in
        ["12-1.deleted", "12-1-.deleted", "012-1-m.deleted", "12-x-m.deleted", "12-1-m", "12-1-.m.deleted"]
    {
        assert_eq!(ArchivedName::parse(other), None, "{other}");
    }
}

/// A host that received three records of m, and dealt them.
fn host() -> MemDisk {
    let disk = raw_disk();
    disk.put(layout().checkpoint(), b"12");
    disk.put(
        layout().raw_history().join("11-0-0.rawlog"),
        &SegmentBytes::new(11, 0, 0, 8).frame(0, 3).sealed(3).full(0),
    );
    disk
}

fn delete(disk: &MemDisk) -> Result<Position> {
    run(DeletionLog::new().delete(&store(disk, &layout()), &code("m")))
}

fn kept(disk: &MemDisk) -> Vec<ArchivedName> {
    names(&run(disk.list(&layout().raw_history())).unwrap())
}

#[test]
fn a_deletion_that_was_answered_is_kept_with_history_whatever_crashes() {
    let calls = {
        let disk = host();
        delete(&disk).unwrap();
        disk.calls()
    };
    assert!(calls > 8, "{calls}");
    for call in 0..=calls {
        for cut in Cut::ALL {
            let disk = host();
            disk.die_at(call);
            let answered = delete(&disk).ok();
            disk.restart(cut);
            // The next start's dealer asks before it deals.
            let known =
                run(DeletionLog::new().snapshot(&store(&disk, &layout()))).unwrap().position(&code("m"));
            if answered.is_some() {
                assert_eq!(known, answered, "call {call}, {cut:?}");
            }
            let expected: Vec<_> =
                known.into_iter().map(|before| ArchivedName { before, code: code("m") }).collect();
            assert_eq!(kept(&disk), expected, "call {call}, {cut:?}");
            disk.restart(Cut::Power);
            assert_eq!(kept(&disk), expected, "durable: call {call}, {cut:?}");
        }
    }
}

#[test]
fn a_later_deletion_takes_an_earlier_ones_place() {
    let disk = host();
    let log = DeletionLog::new();
    run(log.delete(&store(&disk, &layout()), &code("m"))).unwrap();
    disk.put(layout().checkpoint(), b"20");
    let before = run(log.delete(&store(&disk, &layout()), &code("m"))).unwrap();
    assert_eq!(kept(&disk), [ArchivedName { before, code: code("m") }]);
    // What is carried out goes; what is kept with history stays.
    assert!(run(log.prune(&store(&disk, &layout()), &code("m"), before)).unwrap());
    assert_eq!(kept(&disk).len(), 1);
}

#[test]
fn deletions_of_an_earlier_version_are_kept_with_history_too() {
    let disk = host();
    run(publish(&store(&disk, &layout()), &code("m"), position(12, 1))).unwrap();
    run(DeletionLog::new().snapshot(&store(&disk, &layout()))).unwrap();
    assert_eq!(kept(&disk), [name()]);
}

/// A copy of history in raw/live/ of an empty data directory.
fn copied(bytes: &[u8]) -> MemDisk {
    let disk = raw_disk();
    let live = layout().raw_live();
    disk.put(live.join("11-0-0.rawlog"), &SegmentBytes::new(11, 0, 0, 8).frame(0, 3).sealed(3).full(0));
    disk.put(live.join(name().to_string()), bytes);
    disk
}

fn whole() -> MemDisk {
    copied(encode(&code("m"), position(12, 1)).as_bytes())
}

#[test]
fn a_start_on_a_copy_takes_deletions_over_whatever_crashes() {
    let start = |disk: &MemDisk| run(recover(&store(disk, &layout()), WallMillis(5), &mut |_| {}));
    let calls = {
        let disk = whole();
        start(&disk).unwrap();
        disk.calls()
    };
    for call in 0..=calls {
        for cut in Cut::ALL {
            let disk = whole();
            disk.die_at(call);
            let _ = start(&disk);
            disk.restart(cut);
            let recovered = start(&disk).unwrap();
            assert!(recovered.first_epoch().millis() > 12, "what is received next is not covered");
            disk.restart(Cut::Power);
            assert_eq!(
                run(load_one(&store(&disk, &layout()), &code("m"))).unwrap(),
                Some(position(12, 1)),
                "call {call}, {cut:?}"
            );
            assert_eq!(kept(&disk), [name()], "call {call}, {cut:?}");
            assert_eq!(names(&run(disk.list(&layout().raw_live())).unwrap()), []);
        }
    }
}

#[test]
fn a_dealer_takes_deletions_over_before_it_deals() {
    let disk = whole();
    let view = run(LiveView::look(&store(&disk, &layout()), Transfer::Cached)).unwrap();
    assert_eq!(view.epochs.len(), 1, "passed over");
    let known = run(DeletionLog::new().snapshot(&store(&disk, &layout()))).unwrap();
    assert!(known.covers(b"m", position(11, 2)));
    assert_eq!(kept(&disk), [name()]);
}

#[test]
fn an_older_deletion_of_a_copy_gives_nothing_back() {
    let disk = whole();
    run(publish(&store(&disk, &layout()), &code("m"), position(20, 0))).unwrap();
    assert!(run(take_over(&store(&disk, &layout()))).unwrap().is_empty());
    assert_eq!(run(load_one(&store(&disk, &layout()), &code("m"))).unwrap(), Some(position(20, 0)));
}

#[test]
fn of_a_damaged_deletion_nobody_claims_to_know_what_is_gone() {
    let disk = copied(b"12 1 00000000\n");
    let (_, found) = run(verify(&store(&disk, &layout()))).unwrap();
    assert_eq!(found[0].path, layout().raw_live().join("12-1-m.deleted"), "named before it is taken over");
    let damaged = run(take_over(&store(&disk, &layout()))).unwrap();
    assert_eq!(damaged.len(), 1);
    assert!(run(Deletions::load(&store(&disk, &layout()))).unwrap().is_unreadable(&code("m")));
    let (files, found) = run(verify(&store(&disk, &layout()))).unwrap();
    assert_eq!((files, found.len()), (1, 1));
    assert_eq!(found[0].path, layout().raw_history().join("12-1-m.deleted"));
}

#[test]
fn two_roles_take_the_same_deletions_over_at_once() {
    let before = |disk: &MemDisk| {
        for (code, millis) in [("m", 12), ("n", 13)] {
            let name = ArchivedName { before: position(millis, 1), code: self::code(code) };
            disk.put(layout().raw_live().join(name.to_string()), encode(&name.code, name.before).as_bytes());
        }
    };
    for step in 0.. {
        let disk = MemDisk::new();
        before(&disk);
        let (calls, other) = (Rc::new(Cell::new(0)), disk.clone());
        let counted = calls.clone();
        // The other role is as fast as can be, between any two calls of this one.
        let slow = Hooked::new(disk.clone(), move |_, _| {
            if counted.replace(counted.get() + 1) == step {
                run(take_over(&store(&other, &layout()))).unwrap();
            }
            Ok(())
        });
        assert!(run(take_over(&store(&slow, &layout()))).unwrap().is_empty(), "call {step}");
        for (code, millis) in [("m", 12), ("n", 13)] {
            let known = run(load_one(&store(&disk, &layout()), &self::code(code))).unwrap();
            assert_eq!(known, Some(position(millis, 1)), "call {step}");
        }
        assert_eq!(names(&run(disk.list(&layout().raw_live())).unwrap()), []);
        assert_eq!(names(&run(disk.list(&layout().raw_history())).unwrap()).len(), 2, "call {step}");
        if calls.get() <= step {
            break;
        }
    }
}
