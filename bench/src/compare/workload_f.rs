//! F: A at half its rate, alone and beside dealing and two recoveries, with the raw log on a device of its own.

use std::io::Result;

use super::arguments::Letter;
use super::goals::Judge;
use super::isolation::{Beside, Isolation};
use super::runner::{Run, Runner};
use super::workload::Workload;
use crate::load::Shape;
use crate::peers::{Peer, Sync};

pub(super) const WORKLOAD: Workload = Workload { letter: Letter::F, run, goals };

const NAME: &str = "F";
pub(super) const HOST: Peer = Peer::Logtank(Sync::Interval);
const ALONE: &str = "p99.9 alone, bfq";
const BESIDE: &str = "p99.9 beside dealing and recoveries, bfq";
const NO_SCHEDULER: &str = "p99.9 beside dealing and recoveries, no scheduler";
const NO_PRIORITIES: &str = "p99.9 beside dealing and recoveries, bfq, no priorities";
const NO_GOVERNOR: &str = "p99.9 beside dealing and recoveries, bfq, no governor";
const NOTHING: &str = "p99.9 beside dealing and recoveries, neither scheduler nor priorities nor governor";
pub(super) const CONNECTIONS: usize = 64;

fn run(runner: &mut Runner<'_>) -> Result<()> {
    if !runner.has(HOST) {
        return Ok(());
    }
    let Some(isolation) = Isolation::prepare(runner, NAME)? else { return Ok(()) };
    let shape = Shape::default();
    let seconds = runner.arguments.seconds;
    let closed = Run::closed(NAME, HOST, CONNECTIONS, &shape, seconds);
    runner.rounds(|runner| {
        let rate = runner.run(&closed)?.measured.records_per_second / 2.0;
        for (name, scheduler, background, leave_out) in [
            (ALONE, "bfq", false, None),
            (BESIDE, "bfq", true, None),
            (NO_SCHEDULER, "none", true, None),
            (NO_PRIORITIES, "bfq", true, Some("priorities")),
            (NO_GOVERNOR, "bfq", true, Some("governor")),
            (NOTHING, "none", true, Some("priorities,governor")),
        ] {
            if leave_out.is_some() && runner.context.measuring.is_none() {
                runner.note(
                    "F: what priorities and governor do was not measured; see --measuring-build.".to_owned(),
                );
                continue;
            }
            isolation.schedule(runner, NAME, scheduler);
            let run = Run { rate: Some((rate, name)), ..closed.clone() };
            let beside = Beside { background, leave_out, append: "auto" };
            let cell = isolation.measure(runner, &run, beside)?;
            runner.figure(NAME, name, cell.measured.latency_us.p999, "µs");
        }
        Ok(())
    })
}

fn goals(judge: &mut Judge<'_>) {
    let (alone, beside) = (judge.figure(NAME, ALONE), judge.figure(NAME, BESIDE));
    judge.at_most(
        "F: p99.9 beside dealing and two recoveries, of that without".to_owned(),
        beside,
        alone,
        1.25,
    );
}
