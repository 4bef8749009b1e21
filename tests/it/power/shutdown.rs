//! Filesystems that stop in the middle of a run.

use std::time::{Duration, Instant};

use logtank_faultfs::{Drive, Mounted, Store};
use logtank_tests::history::PowerCut;
use logtank_tests::random::Random;
use logtank_tests::report;

use super::images::figures;
use super::run::{DRIVE_BYTES, Setting, rest, under_load};
use super::verdict::judge;

/// How long a host may take to find out that its drive is gone, and to give up.
const PATIENCE: Duration = Duration::from_secs(15);
/// So long clients go on when the filesystem has stopped: something waits for it then.
const LOAD_BEHIND: Duration = Duration::from_millis(300);

/// Stops the filesystem `count` times at a random moment, each time of a fresh run, and recovers from what is there.
pub(super) fn shutdowns(setting: &Setting, count: u32) {
    let began = Instant::now();
    let mut random = Random::new(u64::from(std::process::id()));
    let mut all = Vec::new();
    let drive = Drive::new(Store::new(DRIVE_BYTES)).unwrap();
    for number in 0..count {
        drive.load(Store::new(DRIVE_BYTES));
        setting.filesystem.make(&drive).unwrap();
        let mounted = Mounted::new(&drive, setting.filesystem).unwrap();
        let mut host = setting.host(mounted.path());
        host.start();
        let mut cut = None;
        let sent = under_load(&host, random.next(), |_| {
            let after = Duration::from_millis(200 + random.below(2_000));
            println!("{}: stop {number} after {after:?}", setting.name());
            rest(Instant::now() + after);
            // What is synced once this has begun may be lost although the sync succeeded: the kernel's fault, not ours.
            let from = Instant::now();
            mounted.shut_down().unwrap();
            let to = Instant::now();
            cut = Some(PowerCut { from, to });
            rest(to + LOAD_BEHIND);
        });
        // Every write fails now, and clients waited for one: it gives up by itself, by a code that says that the drive
        // failed, not by a panic.
        let patience = Instant::now() + PATIENCE;
        let mut ended = host.try_wait();
        while ended.is_none() && Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(20));
            ended = host.try_wait();
        }
        let Some((status, log)) = ended else { panic!("{}: it goes on:\n{}", setting.name(), host.log()) };
        assert_eq!(status.code(), Some(78), "{}: {status}:\n{log}", setting.name());
        drop(mounted);
        let mounted = Mounted::new(&drive, setting.filesystem).unwrap();
        let mut host = setting.host(mounted.path());
        all.push(judge(&mut host, setting, &sent, cut.expect("it was stopped"), number % 3 == 0));
        all[number as usize].assert(setting);
    }
    report::line(&format!(
        "{{\"test\":\"shutdown\",\"setting\":\"{}\",\"shutdowns\":{count},\"seconds\":{:.0},{}}}",
        setting.name(),
        began.elapsed().as_secs_f64(),
        figures(&all)
    ));
}
