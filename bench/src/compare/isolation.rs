//! A load on a host whose raw log is on a device of its own, alone or beside dealing and recoveries: what F and H measure.

use std::io::{Error, Result};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use tempfile::TempDir;

use super::copy::copy;
use super::loop_device::LoopDevice;
use super::results::Cell;
use super::runner::{Run, Runner};
use crate::deal;
use crate::load::Shape;
use crate::machine::{self, Placement};
use crate::peers::{Server, logtank};
use crate::recover::recover;

const RECORDS: f64 = 1e6;
const INDEXES: usize = 100;
const DEVICE_BYTES: u64 = 8 << 30;
const RECOVERIES: usize = 2;

/// A device for raw logs and one for all else, and a folder whose raw log, which lies apart, waits to be dealt.
#[derive(Debug)]
pub(super) struct Isolation {
    raw: LoopDevice,
    // Not a folder of the drive itself: where that is told of what is freed, removing a run's files takes longer than the run.
    data: LoopDevice,
    prepared: PathBuf,
    prepared_raw: PathBuf,
    // Behind the devices, which lie in it.
    _folder: TempDir,
}

/// What goes on beside the load.
#[derive(Clone, Copy, Debug)]
pub(super) struct Beside<'b> {
    /// Dealing and recoveries.
    pub(super) background: bool,
    /// What the measuring build leaves out, if it is to run.
    pub(super) leave_out: Option<&'b str>,
    /// As the host's `--append`.
    pub(super) append: &'b str,
}

impl Isolation {
    /// `None` where no loop device can be set up.
    ///
    /// # Errors
    /// If the host can't be started or filled.
    pub(super) fn prepare(runner: &mut Runner<'_>, workload: &str) -> Result<Option<Self>> {
        let folder = tempfile::Builder::new().prefix("bench-").tempdir_in(&runner.context.dir)?;
        let devices = ["raw-drive", "data-drive"].map(|name| {
            let dir = folder.path().join(name);
            std::fs::create_dir(&dir)?;
            LoopDevice::new(&dir, DEVICE_BYTES)
        });
        let [raw, data] = match devices {
            [Ok(raw), Ok(data)] => [raw, data],
            [Err(error), _] | [_, Err(error)] => {
                runner
                    .note(format!("{workload} was left out: a loop device can't be set up here ({error})."));
                return Ok(None);
            }
        };
        let prepared = folder.path().join("prepared");
        std::fs::create_dir(&prepared)?;
        let shape = Shape { batch: 100, indexes: INDEXES, ..Shape::default() };
        let records = (RECORDS * runner.arguments.scale).max(1000.0) as u64;
        runner.say(format!("{workload}: preparing {records} records to deal and to recover"));
        deal::fill(&runner.context, &prepared, &shape, records)?;
        let prepared_raw = folder.path().join("prepared-raw");
        std::fs::rename(prepared.join("raw"), &prepared_raw)?;
        runner.note(format!(
            "{workload}: dealing, recoveries and the load generator share one processor here, so its latencies hold their \
             waiting for it too."
        ));
        Ok(Some(Self { raw, data, prepared, prepared_raw, _folder: folder }))
    }

    /// Chooses the scheduler of the raw log's device; where the kernel has no such one, that is noted.
    pub(super) fn schedule(&self, runner: &mut Runner<'_>, workload: &str, scheduler: &str) {
        if let Err(error) = self.raw.schedule(scheduler) {
            runner.note(format!("{workload} ran without the scheduler {scheduler}: {error}"));
        }
    }

    /// One run. With a background, the raw log's history begins with the prepared one; otherwise empty.
    pub(super) fn measure(&self, runner: &mut Runner<'_>, run: &Run<'_>, beside: Beside<'_>) -> Result<Cell> {
        let data = tempfile::Builder::new().prefix("data-").tempdir_in(&self.data.folder)?;
        let raw = tempfile::Builder::new().prefix("raw-").tempdir_in(&self.raw.folder)?;
        if beside.background {
            copy(&self.prepared, data.path())?;
            copy(&self.prepared_raw, &raw.path().join("raw"))?;
        }
        machine::settle(&[&self.data.folder, &self.raw.folder])?;
        let raw_dir = raw.path().to_string_lossy();
        let arguments =
            ["--shards", "1", "--append", beside.append, "--raw-dir", &*raw_dir].map(str::to_owned);
        let (process, ports) = logtank::serve(&runner.context, data.path(), &arguments, beside.leave_out)?;
        let server = Server::on_foreign_folder(process, ports);
        let over = AtomicBool::new(false);
        let client = runner.context.placement.client;
        let recoveries = if beside.background { RECOVERIES } else { 0 };
        std::thread::scope(|scope| {
            let over = &over;
            let recover = |number: usize| {
                move || {
                    Placement::on(&[client], || {
                        while !over.load(Ordering::Relaxed) {
                            recover(ports.reader, &format!("bench-{number}"))?;
                        }
                        Ok(())
                    })
                }
            };
            let readers: Vec<_> = (0..recoveries).map(|number| scope.spawn(recover(number))).collect();
            let outcome = runner.load(run, &server).cloned();
            over.store(true, Ordering::Relaxed);
            for reader in readers {
                reader.join().map_err(|_| Error::other("a recovery panicked"))??;
            }
            outcome
        })
    }
}
