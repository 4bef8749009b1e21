use std::io::{Error, Result};

use super::arguments::Arguments;
use super::catalog;
use super::results::Results;
use super::runner::Runner;
use crate::machine::{Facts, Placement};
use crate::peers::{Context, logtank};
use crate::report;

/// Runs the comparison, writes what was asked for, and prints which goals were not met.
///
/// # Errors
/// If a server can't be started or stops working, or something can't be written.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if arguments.rounds == 0 || arguments.seconds.is_nan() || arguments.seconds <= 0.0 {
        return Err(Error::other("--rounds and --seconds must be more than 0"));
    }
    let dir = arguments
        .dir
        .canonicalize()
        .map_err(|error| Error::new(error.kind(), format!("--dir {}: {error}", arguments.dir.display())))?;
    let context = Context {
        logtank: logtank::find(arguments.logtank.as_deref())?,
        measuring: arguments.measuring_build.as_deref().map(|path| logtank::find(Some(path))).transpose()?,
        placement: Placement::choose()?,
        host_arguments: arguments.host_argument.clone(),
        dir,
    };
    let results = Results {
        machine: Facts::gather(&context.dir),
        command: std::env::args().skip(1).fold("logtank-bench".to_owned(), |line, word| line + " " + &word),
        rounds: arguments.rounds,
        seconds: arguments.seconds,
        goals: Vec::new(),
        notes: Vec::new(),
        cells: Vec::new(),
        figures: Vec::new(),
    };
    let mut runner = Runner::new(arguments, context, results);
    if runner.context.placement.server == runner.context.placement.client {
        runner.note("One processor served and loaded: rates are of both together.".to_owned());
    }
    for workload in catalog::of(&arguments.workloads) {
        (workload.run)(&mut runner)?;
        // What is measured is kept, whatever becomes of the rest.
        runner.results.goals = catalog::judge(&runner.results);
        write(arguments, &runner.results)?;
    }
    runner.note_disturbed();
    write(arguments, &runner.results)?;
    print!("{}", report::summary(&runner.results));
    Ok(())
}

fn write(arguments: &Arguments, results: &Results) -> Result<()> {
    if let Some(path) = &arguments.json {
        std::fs::write(path, serde_json::to_string(results).map_err(Error::other)? + "\n")?;
    }
    if let Some(path) = &arguments.markdown {
        std::fs::write(path, report::markdown(results))?;
    }
    if let Some(path) = &arguments.html {
        std::fs::write(path, report::html(results)?)?;
    }
    Ok(())
}
