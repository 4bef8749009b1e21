//! A fault at each step: the n-th read, write or flush that a life of the host asks of the drive fails, for each n.

use std::collections::BTreeMap;

use logtank_faultfs::{Drive, Effect, Mounted, Operation, Rule, Store};
use logtank_tests::random::Random;
use logtank_tests::report;

use super::life::{End, aftermath, live, tree};
use super::run::{DRIVE_BYTES, Setting};

/// What fails, how, and how often from the n-th on.
const FAULTS: [(Operation, Effect, u64); 8] = [
    (Operation::Write, Effect::Eio, 1),
    (Operation::Write, Effect::Eio, u64::MAX),
    (Operation::Write, Effect::Enospc, 1),
    (Operation::Write, Effect::Enospc, u64::MAX),
    (Operation::Flush, Effect::Eio, 1),
    (Operation::Flush, Effect::Eio, u64::MAX),
    (Operation::Read, Effect::Eio, 1),
    (Operation::Read, Effect::Eio, u64::MAX),
];

/// Lives of a host with each fault at up to `count` of the steps, evenly spread.
pub(super) fn steps(setting: &Setting, count: u64) {
    let seed = u64::from(std::process::id());
    let mut random = Random::new(seed);
    println!("{}: seed {seed}", setting.name());
    let make = |mounted: &std::path::Path| setting.host(mounted);
    let (store, known) = tree(setting.filesystem, &make);
    let drive = Drive::new(Store::new(DRIVE_BYTES)).unwrap();
    // Mounted, lived on with this fault from there, unmounted; and what is wrong afterwards.
    let life = |fault: Option<Rule>| {
        drive.load(store.clone());
        let mut known = known.clone();
        let mounted = Mounted::new(&drive, setting.filesystem).unwrap();
        let kinds = [Operation::Read, Operation::Write, Operation::Flush];
        let before = kinds.map(|operation| drive.asked(operation));
        let mut host = make(mounted.path());
        fault.into_iter().for_each(|rule| drive.strike(rule));
        let mut asked = before;
        let (end, _) = live(&mut host, &mut known, || {
            asked = kinds.map(|operation| drive.asked(operation) - before[operation as usize]);
            drive.heal();
        });
        drop(mounted);
        let mounted = Mounted::new(&drive, setting.filesystem).unwrap();
        let wrong = aftermath(&mut make(mounted.path()), &known);
        (end, asked, wrong)
    };
    let (end, asked, wrong) = life(None);
    assert!(end == End::WentOn && wrong.is_empty(), "without any fault: {end:?}, {wrong:#?}");
    let (mut ends, mut lives) = (BTreeMap::<End, u64>::new(), 0);
    for (operation, effect, times) in FAULTS {
        let steps = asked[operation as usize];
        let lives_of_this = count.min(steps);
        for number in 0..lives_of_this {
            let (from, to) = (steps * number / lives_of_this, steps * (number + 1) / lives_of_this);
            let skip = from + random.below(to - from);
            println!("{}: {operation:?} {skip} of {steps}: {effect:?}, {times} times", setting.name());
            let (end, _, wrong) = life(Some(Rule { skip, times, ..Rule::every(operation, effect) }));
            assert!(
                wrong.is_empty(),
                "{} {operation:?} {skip} {effect:?}: {end:?}: {wrong:#?}",
                setting.name()
            );
            *ends.entry(end).or_default() += 1;
            lives += 1;
        }
    }
    let of = |end| ends.get(&end).copied().unwrap_or(0);
    report::line(&format!(
        "{{\"test\":\"steps\",\"setting\":\"{}\",\"reads\":{},\"writes\":{},\"flushes\":{},\"lives\":{lives},\
         \"did_not_start\":{},\"gave_up\":{},\"went_on\":{}}}",
        setting.name(),
        asked[0],
        asked[1],
        asked[2],
        of(End::DidNotStart),
        of(End::GaveUp),
        of(End::WentOn),
    ));
}
