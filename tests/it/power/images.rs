//! Many power cuts out of one recorded run.

use std::time::{Duration, Instant};

use logtank_faultfs::{Cuts, Drive, Effect, Event, Mounted, Operation, Recording, Rule, Store, Survivors};
use logtank_tests::random::Random;
use logtank_tests::report;

use super::run::{DRIVE_BYTES, Sent, Setting, rest, under_load};
use super::verdict::judge;

/// One image in this many is also lived on with.
const THOROUGH_EVERY: usize = 4;

/// Records one run and recovers from `count` power cuts of it. Returns how many acknowledged batches were lost in all.
pub(super) fn images(setting: &Setting, count: u32) -> usize {
    let seed = u64::from(std::process::id());
    println!("{}: seed {seed}", setting.name());
    let (drive, recording, loaded, sent) = record(setting, seed);
    let mut cuts = Cuts::new(&recording);
    let (mut lost_ages, mut lost, mut acknowledged, mut reported) = (Vec::new(), 0, 0, 0.0);
    let points = points(&recording, loaded, count, seed);
    for (number, &point) in points.iter().enumerate() {
        let survivors = [Survivors::None, Survivors::Some, Survivors::Torn][number % 3];
        let (image, cut) = cuts.at(point, survivors, seed ^ (number as u64) << 20);
        println!(
            "{}: cut {number} behind event {point} of {}, {survivors:?}",
            setting.name(),
            recording.events.len()
        );
        drive.load(image);
        let mounted = Mounted::new(&drive, setting.filesystem).unwrap();
        let mut host = setting.host(mounted.path());
        let seen = judge(&mut host, setting, &sent, cut, number % THOROUGH_EVERY == 0);
        lost += seen.lost;
        acknowledged += seen.acknowledged;
        reported += seen.reported;
        lost_ages.push(seen.oldest_lost.unwrap_or_default());
    }
    lost_ages.sort();
    let ages = |percent| report::percentile(&lost_ages, percent);
    report::line(&format!(
        "{{\"test\":\"power_image\",\"setting\":\"{}\",\"images\":{},\"batches_sent\":{},\"acknowledged_before_cut\":{acknowledged},\
         \"acknowledged_lost\":{lost},\"positions_reported\":{reported},\"oldest_lost_ms\":{{\"p50\":{},\"p90\":{},\"max\":{}}},\"ages_ms\":{:?}}}",
        setting.name(),
        points.len(),
        sent.history.batches_acknowledged(),
        ages(50),
        ages(90),
        ages(100),
        lost_ages.iter().map(Duration::as_millis).collect::<Vec<_>>(),
    ));
    lost
}

/// A run on a fresh drive: the drive, what happened to it, when the load began, and what was sent.
fn record(setting: &Setting, seed: u64) -> (Drive, Recording, Instant, Sent) {
    let drive = Drive::new(Store::new(DRIVE_BYTES)).unwrap();
    setting.filesystem.make(&drive).unwrap();
    let recorder = drive.record();
    let mounted = Mounted::new(&drive, setting.filesystem).unwrap();
    let mut host = setting.host(mounted.path());
    host.start();
    let loaded = Instant::now();
    let sent = under_load(&host, seed, |_| {
        let end = loaded + setting.load_for;
        if let Some(stall) = setting.stall {
            rest(loaded + setting.load_for / 4);
            drive.strike(Rule::next(Operation::Flush, Effect::Delay(stall)));
        }
        rest(end);
    });
    host.kill();
    let recording = recorder.stop();
    drop(mounted);
    drive.heal();
    (drive, recording, loaded, sent)
}

/// Where to cut: a fifth while the host starts for the first time, a half at random moments under load, the rest right
/// before and after flushes. In order.
fn points(recording: &Recording, loaded: Instant, count: u32, seed: u64) -> Vec<usize> {
    let events = &recording.events;
    let begin = events.partition_point(|event| event.at() < loaded);
    let last = events.last().expect("a run writes").at();
    let flushes: Vec<usize> =
        (begin..events.len()).filter(|&number| matches!(events[number], Event::Flush { .. })).collect();
    let mut random = Random::new(seed);
    let mut below = |bound: usize| usize::try_from(random.below(bound as u64)).expect("small");
    let mut points: Vec<usize> = (0..count as usize)
        .map(|number| match number % 10 {
            // Not before the filesystem was mounted and the folder made: there would be nothing to start on.
            0 | 5 if begin > 200 => 100 + below(begin - 100),
            1 | 2 | 6 | 7 if !flushes.is_empty() => flushes[below(flushes.len())] + below(2),
            _ => {
                let within = u64::try_from((last - loaded).as_micros()).expect("minutes");
                let moment = loaded + Duration::from_micros(within * below(1000) as u64 / 1000);
                events.partition_point(|event| event.at() <= moment)
            }
        })
        .map(|point| point.clamp(1, events.len()))
        .collect();
    points.sort_unstable();
    points
}
