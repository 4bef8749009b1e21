//! Power cuts, for real: a host on a real filesystem on a drive that loses what was not flushed.
//!
//! Two ways. *Images*: the drive records every write and flush of one run under load; each image is what it may hold
//! after a cut at some moment, and is mounted and recovered from. *Shutdowns*: the filesystem is stopped by its own
//! ioctl in the middle of a run.
//!
//! The short forms run everywhere where drives can be made; `LOGTANK_TEST_IMAGES` and `LOGTANK_TEST_SHUTDOWNS` set how
//! many of each the long ones make of each setting.

mod deletions;
mod errors;
mod full;
mod images;
mod life;
mod run;
mod shutdown;
mod single;
mod steps;
mod verdict;

use std::sync::Mutex;
use std::time::Duration;

use logtank_faultfs::Filesystem;
use logtank_tests::needs;

use errors::errors;
use full::full;
use images::images;
use run::{SHORT, Setting, T};
use shutdown::shutdowns;
use steps::steps;
use verdict::Seen;

fn setting(filesystem: Filesystem, append: &'static str, sync: &'static str) -> Setting {
    Setting {
        filesystem,
        append,
        sync,
        epoch: SHORT,
        interval: T,
        stall: None,
        load_for: Duration::from_secs(3),
    }
}

/// All settings that differ in what reaches the drive, and when.
fn settings() -> Vec<Setting> {
    let mut settings = Vec::new();
    for filesystem in [Filesystem::Ext4, Filesystem::Xfs] {
        for append in ["direct", "buffered"] {
            for sync in ["always", "interval"] {
                settings.push(setting(filesystem, append, sync));
            }
        }
    }
    settings
}

/// Those in which nothing that was acknowledged may be missing.
fn always() -> Vec<Setting> {
    settings().into_iter().filter(Setting::is_always).collect()
}

/// With `sync = "interval"` and an epoch that stays open, so that nothing but the interval has anything synced.
fn steady(filesystem: Filesystem, append: &'static str) -> Setting {
    Setting { epoch: "10m", ..setting(filesystem, append, "interval") }
}

/// Runs that wait for drives, mounts and processes more than they compute: several at once.
const SIDE_BY_SIDE: usize = 4;

fn side_by_side(settings: Vec<Setting>, check: impl Fn(Setting) + Sync) {
    let waiting = Mutex::new(settings.into_iter());
    std::thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(|| {
                loop {
                    let Some(setting) = waiting.lock().unwrap().next() else { return };
                    check(setting);
                }
            });
        }
    });
}

/// As many power cuts of one run; returns what was seen.
fn hold(setting: &Setting, count: u32) -> Vec<Seen> {
    let all = images(setting, count);
    all.iter().for_each(|seen| seen.assert(setting));
    all
}

#[test]
fn a_few_power_cuts_lose_nothing_that_was_promised() {
    if !needs::drives() {
        return;
    }
    hold(&setting(Filesystem::Ext4, "direct", "always"), 6);
    hold(&setting(Filesystem::Xfs, "buffered", "interval"), 6);
    let seen = hold(&steady(Filesystem::Ext4, "direct"), 6);
    let lost: usize = seen.iter().map(|seen| seen.lost).sum();
    assert!(lost > 0, "power cuts that cost nothing though nothing was flushed: the drive is no test");
}

#[test]
#[ignore = "takes the better part of an hour: run with --include-ignored, in release"]
fn many_power_cuts_of_every_setting_lose_nothing_that_was_promised() {
    if !needs::drives() {
        return;
    }
    let count = needs::number("LOGTANK_TEST_IMAGES", 48);
    let mut all = settings();
    for filesystem in [Filesystem::Ext4, Filesystem::Xfs] {
        all.extend(["direct", "buffered"].map(|append| steady(filesystem, append)));
    }
    let load_for = Duration::from_secs(5);
    side_by_side(all, |setting| drop(hold(&Setting { load_for, ..setting }, count)));
}

/// A drive one of whose flushes takes three seconds, as does all that is behind it: with an interval of one,
/// acknowledging has to wait.
fn stalling(filesystem: Filesystem, append: &'static str) -> Setting {
    Setting { stall: Some(3 * T), load_for: Duration::from_secs(8), ..steady(filesystem, append) }
}

#[test]
fn a_drive_that_stalls_for_three_seconds_does_not_stretch_the_interval() {
    if !needs::drives() {
        return;
    }
    let count = needs::number("LOGTANK_TEST_IMAGES", if needs::is_long() { 32 } else { 5 });
    let mut all = vec![stalling(Filesystem::Xfs, "buffered")];
    if needs::is_long() {
        all.extend(["buffered", "direct"].map(|append| stalling(Filesystem::Ext4, append)));
        all.push(stalling(Filesystem::Xfs, "direct"));
    }
    side_by_side(all, |setting| drop(hold(&setting, count)));
}

/// That the test before can fail: a host that goes on acknowledging while the drive stalls is found out. (On XFS, where
/// the page cache takes appends meanwhile; ext4 makes them wait for its journal. Now and then XFS does, too: then nothing
/// can be found, and another run is made.)
#[test]
fn a_host_with_a_longer_interval_than_promised_is_found_out_by_a_drive_that_stalls() {
    if !needs::drives() {
        return;
    }
    let found_out = (0..4).any(|_| {
        let seen = images(&Setting { interval: 5 * T, ..stalling(Filesystem::Xfs, "buffered") }, 20);
        let mut wrong = seen.iter().flat_map(|seen| &seen.wrong);
        wrong.any(|wrong| wrong.contains("more than the interval"))
    });
    assert!(found_out, "acknowledgements that span more than the interval were not noticed");
}

#[test]
fn a_filesystem_that_stops_under_load_loses_nothing_that_was_promised() {
    if !needs::drives() {
        return;
    }
    shutdowns(&setting(Filesystem::Ext4, "buffered", "always"), 2);
    shutdowns(&setting(Filesystem::Xfs, "direct", "interval"), 2);
}

#[test]
#[ignore = "takes many minutes: run with --include-ignored, in release"]
fn many_filesystems_that_stop_lose_nothing_that_was_promised() {
    if !needs::drives() {
        return;
    }
    let count = needs::number("LOGTANK_TEST_SHUTDOWNS", 13);
    side_by_side(settings(), |setting| shutdowns(&setting, count));
}

#[test]
fn a_drive_that_fails_costs_nothing_that_was_acknowledged() {
    if !needs::drives() {
        return;
    }
    errors(&setting(Filesystem::Ext4, "buffered", "always"), 3);
}

#[test]
#[ignore = "takes many minutes: run with --include-ignored, in release"]
fn drives_that_fail_in_every_way_cost_nothing_that_was_acknowledged() {
    if !needs::drives() {
        return;
    }
    let count = needs::number("LOGTANK_TEST_ERRORS", 14);
    side_by_side(settings(), |setting| errors(&setting, count));
}

#[test]
fn a_fault_at_any_of_a_few_steps_costs_nothing_that_was_acknowledged() {
    if !needs::drives() {
        return;
    }
    steps(&setting(Filesystem::Ext4, "direct", "always"), 2);
}

#[test]
#[ignore = "takes many minutes: run with --include-ignored, in release"]
fn a_fault_at_every_step_costs_nothing_that_was_acknowledged() {
    if !needs::drives() {
        return;
    }
    let count = needs::number("LOGTANK_TEST_STEPS", 1_000);
    side_by_side(always(), |setting| steps(&setting, count.into()));
}

#[test]
fn a_drive_that_is_full_at_any_of_a_few_steps_costs_nothing_that_was_acknowledged() {
    if !needs::drives() {
        return;
    }
    full(&setting(Filesystem::Ext4, "buffered", "always"), 8);
}

#[test]
#[ignore = "takes many minutes: run with --include-ignored, in release"]
fn a_drive_that_is_full_at_every_step_costs_nothing_that_was_acknowledged() {
    if !needs::drives() {
        return;
    }
    let count = needs::number("LOGTANK_TEST_STEPS", 100);
    side_by_side(always(), |setting| full(&setting, count.into()));
}
