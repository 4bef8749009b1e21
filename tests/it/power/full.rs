//! A drive that is full at every step: lives of a host that is not told to leave any room, on drives with room for less or
//! more of what it makes.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use logtank_faultfs::{Drive, Mounted, Store};
use logtank_tests::host::Host;
use logtank_tests::random::Random;
use logtank_tests::report;

use super::life::{End, aftermath, live, tree};
use super::run::{DRIVE_BYTES, Setting};

/// A host that begins to refuse only when the drive does.
fn host(setting: &Setting, mounted: &Path) -> Host {
    let arguments = [
        "--shards",
        "1",
        "--append",
        setting.append,
        "--sync",
        setting.sync,
        "--epoch-max-age",
        setting.epoch,
        "--free-bytes-min",
        "0",
        "--message-bytes-max",
        "256KiB",
        "--record-bytes-max",
        "64KiB",
        "--unread-before-clean",
        "1s",
    ];
    Host::new(&mounted.join("data"), &arguments)
}

/// Takes all of the filesystem's room but this, also what is kept for root.
fn fill(filler: &Path, room: u64) {
    let succeeds = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).arg(filler).output();
        output.expect("util-linux and coreutils are there").status.success()
    };
    let (mut length, mut chunk) = (0, 1_u64 << 30);
    while chunk >= 4096 {
        if succeeds("fallocate", &["--offset", &length.to_string(), "--length", &chunk.to_string()]) {
            length += chunk;
        } else {
            chunk /= 2;
        }
    }
    let kept = length.saturating_sub(room).to_string();
    assert!(succeeds("truncate", &["--size", &kept]), "the filler can't be made shorter");
}

/// Lives with `count` amounts of room, from none to enough.
pub(super) fn full(setting: &Setting, count: u64) {
    let seed = u64::from(std::process::id());
    let mut random = Random::new(seed);
    println!("{}: seed {seed}", setting.name());
    let make = |mounted: &Path| host(setting, mounted);
    let (store, known) = tree(setting.filesystem, &make);
    let drive = Drive::new(Store::new(DRIVE_BYTES)).unwrap();
    let (mut ends, mut lives_that_met_it) = (BTreeMap::<End, u64>::new(), 0_u64);
    for number in 0..count {
        // What jobs make is small, so most of the steps lie close to full; two raw segments are the most that is made.
        let room = match number % 4 {
            0 => random.below(64 << 10),
            1 => random.below(1 << 20),
            2 => random.below(20 << 20),
            _ => random.below(160 << 20),
        };
        println!("{}: room for {room} bytes", setting.name());
        drive.load(store.clone());
        let mut known = known.clone();
        let mounted = Mounted::new(&drive, setting.filesystem).unwrap();
        let filler = mounted.path().join("filler");
        fill(&filler, room);
        let mut host = make(mounted.path());
        let (end, log) = live(&mut host, &mut known, || std::fs::remove_file(filler).unwrap());
        lives_that_met_it += u64::from(log.contains("No space left"));
        drop(mounted);
        let mounted = Mounted::new(&drive, setting.filesystem).unwrap();
        let wrong = aftermath(&mut make(mounted.path()), &known);
        assert!(wrong.is_empty(), "{} with room for {room}: {end:?}: {wrong:#?}", setting.name());
        *ends.entry(end).or_default() += 1;
    }
    assert!(lives_that_met_it > 0, "no life met a full drive: they are no test");
    let of = |end| ends.get(&end).copied().unwrap_or(0);
    report::line(&format!(
        "{{\"test\":\"full\",\"setting\":\"{}\",\"lives\":{count},\"met_it\":{lives_that_met_it},\
         \"did_not_start\":{},\"gave_up\":{},\"went_on\":{}}}",
        setting.name(),
        of(End::DidNotStart),
        of(End::GaveUp),
        of(End::WentOn),
    ));
}
