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
mod images;
mod run;
mod shutdown;
mod single;
mod verdict;

use std::time::Duration;

use logtank_faultfs::Filesystem;
use logtank_tests::needs;

use errors::errors;
use images::images;
use run::{SHORT, Setting, T};
use shutdown::shutdowns;

fn setting(filesystem: Filesystem, append: &'static str, sync: &'static str) -> Setting {
    Setting { filesystem, append, sync, epoch: SHORT, stall: None, load_for: Duration::from_secs(3) }
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

/// With `sync = "interval"` and an epoch that stays open, so that nothing but the interval has anything synced.
fn steady(filesystem: Filesystem, append: &'static str) -> Setting {
    Setting { epoch: "10m", ..setting(filesystem, append, "interval") }
}

#[test]
fn a_few_power_cuts_lose_nothing_that_was_promised() {
    if !needs::drives() {
        return;
    }
    images(&setting(Filesystem::Ext4, "direct", "always"), 6);
    images(&setting(Filesystem::Xfs, "buffered", "interval"), 6);
    let lost = images(&steady(Filesystem::Ext4, "direct"), 6);
    assert!(lost > 0, "power cuts that cost nothing though nothing was flushed: the drive is no test");
}

#[test]
#[ignore = "takes the better part of an hour: run with --include-ignored, in release"]
fn many_power_cuts_of_every_setting_lose_nothing_that_was_promised() {
    if !needs::drives() {
        return;
    }
    let count = needs::number("LOGTANK_TEST_IMAGES", 48);
    let load_for = Duration::from_secs(5);
    for setting in settings() {
        images(&Setting { load_for, ..setting }, count);
    }
    for filesystem in [Filesystem::Ext4, Filesystem::Xfs] {
        for append in ["direct", "buffered"] {
            images(&Setting { load_for, ..steady(filesystem, append) }, count);
        }
    }
}

/// A drive whose flushes take three seconds now and then: with an interval of one, acknowledging has to wait.
#[test]
fn a_drive_that_stalls_for_three_seconds_does_not_stretch_the_interval() {
    if !needs::drives() {
        return;
    }
    let count = needs::number("LOGTANK_TEST_IMAGES", if needs::is_long() { 32 } else { 5 });
    let appends = if needs::is_long() { &["buffered", "direct"][..] } else { &["buffered"][..] };
    for append in appends {
        let stalled = Setting {
            stall: Some(3 * T),
            load_for: Duration::from_secs(9),
            ..steady(Filesystem::Ext4, append)
        };
        images(&stalled, count);
    }
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
    for setting in settings() {
        shutdowns(&setting, count);
    }
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
    for setting in settings() {
        errors(&setting, count);
    }
}
