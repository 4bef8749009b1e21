//! Many power cuts out of one recorded run.

use std::time::{Duration, Instant};

use logtank_faultfs::{Cuts, Drive, Effect, Event, Mounted, Operation, Recording, Rule, Store, Survivors};
use logtank_tests::history::PowerCut;
use logtank_tests::random::Random;
use logtank_tests::report;

use super::run::{DRIVE_BYTES, Sent, Setting, T, rest, under_load};
use super::verdict::{Seen, judge};

/// One image in this many is also lived on with.
const THOROUGH_EVERY: usize = 4;

/// Where to cut: how much of the recording had happened, and when it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Point {
    events: usize,
    at: Instant,
}

/// Records one run and recovers from `count` power cuts of it, up to the first with which something is wrong.
pub(super) fn images(setting: &Setting, count: u32) -> Vec<Seen> {
    let seed = u64::from(std::process::id());
    println!("{}: seed {seed}", setting.name());
    let began = Instant::now();
    let run = Run::record(setting, seed);
    let mut contents = Cuts::new(&run.recording);
    let points = run.points(setting, count, seed);
    let mut all = Vec::new();
    for (number, point) in points.iter().enumerate() {
        let survivors = [Survivors::None, Survivors::Some, Survivors::Torn][number % 3];
        let events = run.recording.events.len();
        println!("{}: cut {number} behind event {} of {events}, {survivors:?}", setting.name(), point.events);
        run.drive.load(contents.at(point.events, survivors, seed ^ (number as u64) << 20));
        let mounted = Mounted::new(&run.drive, setting.filesystem).unwrap();
        let mut host = setting.host(mounted.path());
        all.push(judge(&mut host, setting, &run.sent, PowerCut::at(point.at), number % THOROUGH_EVERY == 0));
        if !all[number].wrong.is_empty() {
            break;
        }
    }
    report::line(&format!(
        "{{\"test\":\"power_image\",\"setting\":\"{}\",\"images\":{},\"seconds\":{:.0},{}}}",
        setting.name(),
        all.len(),
        began.elapsed().as_secs_f64(),
        figures(&all)
    ));
    all
}

/// What was seen in all of them, as members of a JSON object.
pub(super) fn figures(all: &[Seen]) -> String {
    let ages = report::milliseconds(all.iter().filter_map(|seen| seen.oldest_lost));
    let spans = report::milliseconds(all.iter().filter_map(|seen| seen.span));
    format!(
        "\"acknowledged_before_cut\":{},\"acknowledged_lost\":{},\"positions_reported\":{},\"wrong\":{},\
         \"oldest_lost_ms\":{ages:?},\"span_lost_ms\":{spans:?}",
        all.iter().map(|seen| seen.acknowledged).sum::<usize>(),
        all.iter().map(|seen| seen.lost).sum::<usize>(),
        all.iter().map(|seen| seen.reported).sum::<f64>(),
        all.iter().filter(|seen| !seen.wrong.is_empty()).count(),
    )
}

/// A run on a fresh drive.
struct Run {
    drive: Drive,
    recording: Recording,
    /// When the load began.
    loaded: Instant,
    /// When the drive was told to stall, if it was.
    stalled: Option<Instant>,
    sent: Sent,
}

impl Run {
    fn record(setting: &Setting, seed: u64) -> Self {
        let drive = Drive::new(Store::new(DRIVE_BYTES)).unwrap();
        setting.filesystem.make(&drive).unwrap();
        let recorder = drive.record();
        let mounted = Mounted::new(&drive, setting.filesystem).unwrap();
        let mut host = setting.host(mounted.path());
        host.start();
        let loaded = Instant::now();
        let mut stalled = None;
        let sent = under_load(&host, seed, |_| {
            if let Some(stall) = setting.stall {
                rest(loaded + setting.load_for / 4);
                stalled = Some(Instant::now());
                drive.strike(Rule::next(Operation::Flush, Effect::Delay(stall)));
            }
            rest(loaded + setting.load_for);
        });
        host.kill();
        let recording = recorder.stop();
        drop(mounted);
        drive.heal();
        Self { drive, recording, loaded, stalled, sent }
    }

    /// Where to cut: a fifth while the host starts for the first time, a half at random moments under load (while the
    /// drive stalls, if it does), the rest right before and after flushes. In order.
    fn points(&self, setting: &Setting, count: u32, seed: u64) -> Vec<Point> {
        let events = &self.recording.events;
        let begin = self.recording.events_at(self.loaded);
        let end = events.last().expect("a run writes").at();
        let (from, to) = match (self.stalled, setting.stall) {
            (Some(stalled), Some(stall)) => (stalled, end.min(stalled + stall + 2 * T)),
            _ => (self.loaded, end),
        };
        let is_flush = |&number: &usize| matches!(events[number], Event::Flush { .. });
        let flushes: Vec<usize> = (begin..events.len()).filter(is_flush).collect();
        let mut random = Random::new(seed);
        let mut below = |bound: usize| usize::try_from(random.below(bound as u64)).expect("small");
        let behind = |events: usize| Point { events, at: self.recording.moment_behind(events) };
        let mut points: Vec<Point> = (0..count as usize)
            .map(|number| match number % 10 {
                // Not before the filesystem was mounted and the folder made: there would be nothing to start on.
                0 | 5 if begin > 200 => behind(100 + below(begin - 100)),
                1 | 2 | 6 | 7 if !flushes.is_empty() => behind(flushes[below(flushes.len())] + below(2)),
                _ => {
                    let within = usize::try_from((to - from).as_micros()).expect("minutes");
                    let at = from + Duration::from_micros(below(within) as u64);
                    Point { events: self.recording.events_at(at), at }
                }
            })
            .collect();
        points.sort_unstable();
        points
    }
}
