//! H: how well appends are kept apart from the background, by scheduler, by how segments are written and by what gives way.

use std::io::Result;

use super::arguments::Letter;
use super::isolation::{Beside, Isolation};
use super::runner::{Run, Runner};
use super::workload::Workload;
use super::workload_f::{CONNECTIONS, HOST};
use crate::load::Shape;

pub(super) const WORKLOAD: Workload = Workload { letter: Letter::H, run, goals: |_| {} };

pub(crate) const NAME: &str = "H";
const SCHEDULERS: [&str; 4] = ["none", "mq-deadline", "kyber", "bfq"];
const APPENDS: [&str; 2] = ["buffered", "direct"];
/// What it is called, whether there is a background, and what is left out.
const BESIDE: [(&str, bool, &str); 5] = [
    ("alone", false, ""),
    ("beside, equal", true, "priorities,governor"),
    ("beside, low priority", true, "governor"),
    ("beside, governor", true, "priorities"),
    ("beside, both", true, ""),
];
/// The same for all, so that their latencies can be compared: what a busy day is, not what saturates.
const RATE: f64 = 20_000.0;

fn run(runner: &mut Runner<'_>) -> Result<()> {
    if !runner.has(HOST) {
        return Ok(());
    }
    if runner.context.measuring.is_none() {
        runner.note("H was left out: it takes a --measuring-build.".to_owned());
        return Ok(());
    }
    let Some(isolation) = Isolation::prepare(runner, NAME)? else { return Ok(()) };
    let shape = Shape::default();
    let seconds = runner.arguments.seconds;
    runner.rounds(|runner| {
        for scheduler in SCHEDULERS {
            isolation.schedule(runner, NAME, scheduler);
            for append in APPENDS {
                let mode = format!("{scheduler}, {append}");
                for (label, background, leave_out) in BESIDE {
                    let run = Run {
                        label: Some(label),
                        rate: Some((RATE, &mode)),
                        ..Run::closed(NAME, HOST, CONNECTIONS, &shape, seconds)
                    };
                    isolation.measure(
                        runner,
                        &run,
                        Beside { background, leave_out: Some(leave_out), append },
                    )?;
                }
            }
        }
        Ok(())
    })
}
