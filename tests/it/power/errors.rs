//! A drive that answers with errors: at a random moment, once or from then on. The host goes on or gives up; what it
//! acknowledged is there when the drive is well again, also if the power goes meanwhile.

use std::time::{Duration, Instant};

use logtank_faultfs::{Cuts, Drive, Effect, Mounted, Operation, Rule, Store, Survivors};
use logtank_tests::history::PowerCut;
use logtank_tests::metrics::metric;
use logtank_tests::random::Random;
use logtank_tests::report;

use super::images::figures;
use super::run::{DRIVE_BYTES, Setting, rest, under_load};
use super::verdict::judge;

/// What a drive that fails says, and how long.
const FAULTS: [(Operation, Effect, u64); 7] = [
    (Operation::Write, Effect::Eio, 1),
    (Operation::Flush, Effect::Eio, 1),
    (Operation::Write, Effect::Enospc, 1),
    (Operation::Read, Effect::Eio, 1),
    (Operation::Write, Effect::Eio, 20),
    (Operation::Write, Effect::Eio, u64::MAX),
    (Operation::Flush, Effect::Eio, u64::MAX),
];

/// One run for each of the first `count` faults, over and over.
pub(super) fn errors(setting: &Setting, count: u32) {
    let seed = u64::from(std::process::id());
    let mut random = Random::new(seed);
    println!("{}: seed {seed}", setting.name());
    let drive = Drive::new(Store::new(DRIVE_BYTES)).unwrap();
    let (mut gave_up, mut went_on, mut rewrites, mut all) = (0, 0, 0.0, Vec::new());
    for number in 0..count as usize {
        let (operation, effect, times) = FAULTS[number % FAULTS.len()];
        drive.load(Store::new(DRIVE_BYTES));
        setting.filesystem.make(&drive).unwrap();
        let recorder = drive.record();
        let mounted = Mounted::new(&drive, setting.filesystem).unwrap();
        let mut host = setting.host(mounted.path());
        host.start();
        // Up to that many go by: under load it comes to this within the run.
        let skip = random.below(if operation == Operation::Write { 200 } else { 20 });
        println!("{}: {operation:?} {skip} fails with {effect:?}, {times} times", setting.name());
        let sent = under_load(&host, random.next(), |_| {
            rest(Instant::now() + Duration::from_millis(300));
            drive.strike(Rule { skip, times, ..Rule::every(operation, effect) });
            rest(Instant::now() + Duration::from_millis(2_500));
        });
        rewrites += metric(host.metrics(), "logtank_rewrites_total").unwrap_or(0.0);
        match host.try_wait() {
            Some((status, log)) => {
                assert_eq!(status.code(), Some(78), "{}: {status}:\n{log}", setting.name());
                gave_up += 1;
            }
            None => {
                host.kill();
                went_on += 1;
            }
        }
        let recording = recorder.stop();
        drive.heal();
        drop(mounted);
        // The power goes too: nothing counts but what was flushed.
        let events = recording.events.len();
        drive.load(Cuts::new(&recording).at(events, Survivors::None, 1));
        let mounted = Mounted::new(&drive, setting.filesystem).unwrap();
        let mut host = setting.host(mounted.path());
        let cut = PowerCut::at(recording.moment_behind(events));
        all.push(judge(&mut host, setting, &sent, cut, number % 3 == 0));
        all[number].assert(setting);
    }
    report::line(&format!(
        "{{\"test\":\"drive_errors\",\"setting\":\"{}\",\"runs\":{count},\"gave_up\":{gave_up},\"went_on\":{went_on},\
         \"rewrites\":{rewrites},{}}}",
        setting.name(),
        figures(&all)
    ));
}
