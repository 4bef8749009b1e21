//! F: A at half its rate, alone and beside dealing and two recoveries, with the raw log on a device of its own.

use std::io::{Error, Result};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::loop_device::LoopDevice;
use super::runner::{Run, Runner};
use super::workload_d::copy;
use crate::deal;
use crate::load::Shape;
use crate::machine::{self, Placement};
use crate::peers::{Peer, Server, Sync, logtank};
use crate::recover::recover;

pub(super) const NAME: &str = "F";
pub(super) const HOST: Peer = Peer::Logtank(Sync::Interval);
pub(super) const ALONE: &str = "p99.9 alone, bfq";
pub(super) const BESIDE: &str = "p99.9 beside dealing and recoveries, bfq";
const NO_SCHEDULER: &str = "p99.9 beside dealing and recoveries, no scheduler";
const NO_PRIORITIES: &str = "p99.9 beside dealing and recoveries, bfq, no priorities";
const NO_GOVERNOR: &str = "p99.9 beside dealing and recoveries, bfq, no governor";
const NOTHING: &str = "p99.9 beside dealing and recoveries, neither scheduler nor priorities nor governor";
const CONNECTIONS: usize = 64;
const RECORDS: f64 = 1e6;
const INDEXES: usize = 100;
const DEVICE_BYTES: u64 = 8 << 30;

pub(super) fn run(runner: &mut Runner<'_>) -> Result<()> {
    if !runner.has(HOST) {
        return Ok(());
    }
    let folder = tempfile::Builder::new().prefix("bench-").tempdir_in(&runner.context.dir)?;
    let device = match LoopDevice::new(folder.path(), DEVICE_BYTES) {
        Ok(device) => device,
        Err(error) => {
            runner.note(format!("F was left out: a loop device can't be set up here ({error})."));
            return Ok(());
        }
    };
    let prepared = folder.path().join("prepared");
    std::fs::create_dir(&prepared)?;
    let shape = Shape { batch: 100, indexes: INDEXES, ..Shape::default() };
    let records = (RECORDS * runner.arguments.scale).max(1000.0) as u64;
    runner.say(format!("F: preparing {records} records to deal and to recover"));
    deal::fill(&runner.context, &prepared, &shape, records)?;
    let load = Shape::default();
    let seconds = runner.arguments.seconds;
    let closed =
        Run { workload: NAME, peer: HOST, connections: CONNECTIONS, shape: &load, rate: None, seconds };
    runner.note(
        "F: dealing, recoveries and the load generator share one processor here, so its p99.9 holds their waiting for it too."
            .to_owned(),
    );
    let outcome = runner.rounds(|runner| {
        let rate = runner.run(&closed)?.measured.records_per_second / 2.0;
        for (name, scheduler, beside, leave_out) in [
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
            if let Err(error) = device.schedule(scheduler) {
                runner.note(format!("F ran without the scheduler {scheduler}: {error}"));
            }
            let run = Run { rate: Some((rate, name)), ..closed.clone() };
            let p999 = measure(runner, &run, &device, beside.then_some(prepared.as_path()), leave_out)?;
            runner.figure(NAME, name, p999, "µs");
        }
        Ok(())
    });
    drop(device);
    outcome
}

/// The raw log's history begins with the prepared one, if any; otherwise empty.
fn measure(
    runner: &mut Runner<'_>,
    run: &Run<'_>,
    device: &LoopDevice,
    backlog: Option<&Path>,
    leave_out: Option<&str>,
) -> Result<f64> {
    let data = tempfile::Builder::new().prefix("bench-").tempdir_in(&runner.context.dir)?;
    let raw = tempfile::Builder::new().prefix("raw-").tempdir_in(&device.folder)?;
    if let Some(backlog) = backlog {
        copy(backlog, data.path())?;
        copy(&data.path().join("raw"), &raw.path().join("raw"))?;
        std::fs::remove_dir_all(data.path().join("raw"))?;
    }
    machine::settle(&runner.context.dir)?;
    machine::settle(&device.folder)?;
    let raw_dir = raw.path().to_string_lossy().into_owned();
    let arguments = ["--shards".to_owned(), "1".to_owned(), "--raw-dir".to_owned(), raw_dir];
    let (process, ports) = logtank::serve(&runner.context, data.path(), &arguments, leave_out)?;
    let server = Server::on_foreign_folder(process, ports);
    let over = AtomicBool::new(false);
    let client = runner.context.placement.client;
    std::thread::scope(|scope| {
        let mut readers = Vec::new();
        for number in 0..if backlog.is_some() { 2 } else { 0 } {
            let over = &over;
            readers.push(scope.spawn(move || {
                Placement::on(&[client], || {
                    while !over.load(Ordering::Relaxed) {
                        recover(ports.reader, &format!("bench-{number}"))?;
                    }
                    Ok(())
                })
            }));
        }
        let outcome = runner.load(run, &server).map(|cell| cell.measured.latency_us.p999);
        over.store(true, Ordering::Relaxed);
        for reader in readers {
            reader.join().map_err(|_| Error::other("a recovery panicked"))??;
        }
        outcome
    })
}
