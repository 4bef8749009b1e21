//! The process or the machine dies at any call.

use crate::testing::store;
use std::cell::RefCell;
use std::rc::Rc;

use super::*;
use crate::error::Verb;
use crate::raw_log::test_support::Cut;
use crate::testing::Hooked;

#[test]
fn dying_at_any_call_and_recovering_again_gives_the_same_log() {
    let expected = crashed();
    recovered(&expected);
    let calls = expected.calls();
    assert!(calls > 80, "{calls}");
    for cut in Cut::ALL {
        for call in 0..calls {
            let disk = crashed();
            disk.die_at(call);
            try_recover(&disk).expect_err("the process is dead");
            disk.restart(cut);
            recovered(&disk);
            assert_eq!(disk.contents(), expected.contents(), "{cut:?} at call {call}");
        }
    }
}

#[test]
fn dying_twice_gives_the_same_log() {
    let expected = crashed();
    recovered(&expected);
    for first in (0..expected.calls()).step_by(13) {
        for second in (0..expected.calls()).step_by(11) {
            let disk = crashed();
            for (call, cut) in [(first, Cut::PowerKeepingNames), (second, Cut::Power)] {
                disk.die_at(call);
                let _ = try_recover(&disk);
                disk.restart(cut);
            }
            recovered(&disk);
            assert_eq!(disk.contents(), expected.contents(), "at {first}, then at {second}");
        }
    }
}

#[test]
fn when_it_returns_everything_is_durable() {
    for cut in Cut::ALL {
        let disk = crashed();
        recovered(&disk);
        let files = disk.contents();
        disk.restart(cut);
        assert_eq!(disk.contents(), files, "{cut:?}");
    }
}

#[test]
fn what_was_once_reported_lost_never_comes_back() {
    // A frame can't be read; recovery reports it lost and dies; then the drive can read it after all.
    let segment = small(11, 0).frame(0, 2).frame(2, 2).frame(4, 1);
    let at = segment.offsets[1] as usize + 40;
    let mut unreadable = segment.full(0);
    unreadable[at] ^= 1;
    let path = layout().live(segment.name());
    let mut reported = 0;
    for call in 0.. {
        let disk = raw_disk();
        disk.put(&path, &unreadable);
        // Something else is missing whenever it looks, so it writes the file again.
        put_segment(&disk, &small(11, 1).frame(5, 1).sealed(9));
        disk.die_at(call);
        if try_recover(&disk).is_ok() {
            break;
        }
        disk.restart(Cut::Power);
        let lost_before = lost(&disk, 11);
        let mut bytes = disk.contents()[&path].clone();
        if bytes[8192..] == unreadable[8192..] {
            bytes[at] ^= 1;
            disk.put(&path, &bytes);
        }
        recovered(&disk);
        if let Some(text) = lost_before {
            reported += 1;
            assert!(text.starts_with("2 3\n6 3\n"), "{text}");
            assert_eq!(lost(&disk, 11), Some(text));
            assert_eq!(delivered(&disk)[&11], [0, 1, 5], "call {call}");
        }
    }
    assert!(reported > 5);
}

/// What a start reads from the drive may be taken by a power cut all the same; what it has written down by then holds of all
/// segments together.
#[test]
fn all_that_was_left_open_is_durable_before_any_is_sealed() {
    let disk = raw_disk();
    // Of the last one a record is missing, so that there is a .lost file, too.
    let open = [small(11, 0).frame(1, 1), small(11, 1).frame(0, 1), small(12, 0).frame(1, 1)];
    open.iter().for_each(|segment| put_segment(&disk, segment));
    let calls = Rc::new(RefCell::new(Vec::new()));
    let hooked = Hooked::new(disk, {
        let calls = calls.clone();
        move |call, path| {
            calls.borrow_mut().push((call, path.to_owned()));
            Ok(())
        }
    });
    run(recover(&store(&hooked, &layout()), NOW, &mut |_| {})).unwrap();
    let calls = calls.borrow();
    let written = calls.iter().position(|(call, _)| [Verb::Create, Verb::Write].contains(call)).unwrap();
    let synced = calls[..written].iter().filter(|(call, _)| *call == Verb::Fdatasync).map(|(_, path)| path);
    let paths: Vec<_> = open.iter().map(|segment| layout().live(segment.name())).collect();
    assert_eq!(synced.cloned().collect::<Vec<_>>(), paths);
}
