//! Holds the machine against what a host wants, and the drive against what it needs.

mod measuring;
mod output;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use logtank_sysconfig::{
    Applied, Item, Measured, Place, Report, State, Subject, System, apply, inspect, script,
};

use crate::causes::causes;
use crate::cli::TuneArgs;
use crate::stderr::remark;

/// What can't be told at all is told by the same code as an item that can't.
const EXIT_UNKNOWN: u8 = 2;

/// Folders, machine and measurement of one run.
struct Tuning {
    system: System,
    data: PathBuf,
    raw: PathBuf,
    measured: Option<Measured>,
    /// Why there is no measurement, though one was wanted.
    unmeasured: Option<String>,
    io_uring: Result<(), String>,
}

/// Reports, and applies if asked to.
pub(crate) fn run(args: &TuneArgs) -> ExitCode {
    match tune(args) {
        Ok(State::Good) => ExitCode::SUCCESS,
        Ok(State::Differs) => ExitCode::FAILURE,
        Ok(State::Unknown) => ExitCode::from(EXIT_UNKNOWN),
        Err(error) => {
            remark!("logtank: {}", causes(&error));
            ExitCode::from(EXIT_UNKNOWN)
        }
    }
}

fn tune(args: &TuneArgs) -> anyhow::Result<State> {
    let data = std::path::absolute(&args.data)?;
    let raw = args.raw_dir.as_deref().map_or_else(|| Ok(data.clone()), std::path::absolute)?;
    let mut tuning =
        Tuning { system: System::default(), measured: None, unmeasured: None, io_uring: Ok(()), data, raw };
    tuning.try_out(args);
    let mut report = tuning.look()?;
    if args.script {
        output::say(&script(&report))?;
        return Ok(report.state());
    }
    let mut applied = Vec::new();
    if args.apply {
        (report, applied) = tuning.apply(report, args)?;
    }
    let tuned = if args.apply { tuning.keep_measured()? } else { None };
    if args.json {
        let json = output::to_json(&report, &applied, tuning.measured.as_ref(), tuned.as_deref());
        output::say(&format!("{json}\n"))?;
    } else {
        let mut text = output::to_text(&report, &applied, tuned.as_deref());
        if !args.apply && tuning.measured.is_some() {
            text.push_str(
                "nothing was changed; --apply does what it says, and keeps the measurement for `serve`\n",
            );
        }
        output::say(&text)?;
    }
    Ok(report.state())
}

impl Tuning {
    /// What takes trying. A user who may not write in the folder learns all the rest.
    fn try_out(&mut self, args: &TuneArgs) {
        (self.measured, self.unmeasured) = match measuring::measure_drive(&self.raw, args.measure_for) {
            Ok(measured) => (measured, None),
            Err(error) => (None, Some(causes(&error))),
        };
        self.io_uring = crate::serve::check_machine().map_err(|error| causes(&error));
    }

    fn look(&self) -> anyhow::Result<Report> {
        let place = |folder: &Path| Place::of(folder).with_context(|| folder.display().to_string());
        let mut report = inspect(&Subject {
            system: &self.system,
            raw: place(&self.raw)?,
            data: place(&self.data)?,
            measured: self.measured,
            io_uring: Some(self.io_uring.clone()),
        });
        if let Some(why) = &self.unmeasured {
            let wanted = "a measurement";
            let what_for = "Appends are as quick as the drive's writes and fdatasyncs. Measuring takes a user who may write in \
                            the folder of the raw log.";
            report.items.push(Item::unknown("speed of the drive", why, wanted, what_for));
        }
        Ok(report)
    }

    /// In two rounds, since a scheduler's tunables are only there once it is chosen. Then everything is looked at and
    /// measured again.
    fn apply(&mut self, mut report: Report, args: &TuneArgs) -> anyhow::Result<(Report, Vec<Applied>)> {
        let mut all: Vec<Applied> = Vec::new();
        for _ in 0..2 {
            let tried =
                |one: &Applied| all.iter().any(|other| other.item == one.item && other.fix == one.fix);
            let applied: Vec<Applied> =
                apply(&self.system, &report).into_iter().filter(|one| !tried(one)).collect();
            if applied.is_empty() {
                break;
            }
            all.extend(applied);
            report = self.look()?;
        }
        if !all.is_empty() {
            self.try_out(args);
            report = self.look()?;
        }
        Ok((report, all))
    }

    /// Leaves what was measured to `serve`, if there is a data directory. Returns the file.
    fn keep_measured(&self) -> anyhow::Result<Option<PathBuf>> {
        match &self.measured {
            Some(measured) if self.data.is_dir() => {
                measuring::write_tuned(&self.system, &self.data, &self.raw, measured).map(Some)
            }
            Some(_) | None => Ok(None),
        }
    }
}
