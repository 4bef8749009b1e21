use std::io::{Error, Result};
use std::path::{Path, PathBuf};

use super::performance;
use super::side_by_side::side_by_side;
use super::{html, markdown, summary};
use crate::compare::{Results, judge};

/// Shows results of `compare`: one as tables, or two side by side.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Arguments {
    /// JSON that `compare` wrote, or two of them, the older first; any number with --join.
    #[arg(required = true)]
    results: Vec<PathBuf>,
    /// Puts the tables into the page that is given as the second file.
    #[arg(long)]
    performance: bool,
    /// Prints the goals only.
    #[arg(long, conflicts_with = "performance")]
    goals: bool,
    /// Writes the parts of a comparison that were measured one after the other there, as one.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["performance", "goals"])]
    join: Option<PathBuf>,
    /// Writes a page with charts there.
    #[arg(long)]
    html: Option<PathBuf>,
}

/// Shows or writes what was asked for.
///
/// # Errors
/// If a file can't be read, is no result, or can't be written.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let first = read(&arguments.results[0])?;
    if let Some(path) = &arguments.join {
        let parts = arguments.results[1..].iter().map(|path| read(path)).collect::<Result<Vec<_>>>()?;
        let mut joined = parts.into_iter().fold(first, Results::join);
        joined.goals = judge(&joined);
        return std::fs::write(path, serde_json::to_string(&joined).map_err(Error::other)? + "\n");
    }
    if arguments.results.len() > 2 {
        return Err(Error::other("two results are compared at most; --join takes more"));
    }
    if let Some(path) = &arguments.html {
        std::fs::write(path, html(&first)?)?;
    }
    match (arguments.results.get(1), arguments.performance) {
        (Some(page), true) => {
            let text = std::fs::read_to_string(page).map_err(|error| at(page, &error))?;
            std::fs::write(page, performance::fill(&text, &first)?)
        }
        (None, true) => Err(Error::other("--performance needs the page to write to as the second file")),
        (Some(second), false) => {
            print!("{}", side_by_side(&first, &read(second)?));
            Ok(())
        }
        (None, false) => {
            print!("{}", if arguments.goals { summary(&first) } else { markdown(&first) });
            Ok(())
        }
    }
}

fn read(path: &Path) -> Result<Results> {
    let text = std::fs::read_to_string(path).map_err(|error| at(path, &error))?;
    serde_json::from_str(&text)
        .map_err(|error| Error::other(format!("{}: not a result of compare --json: {error}", path.display())))
}

fn at(path: &Path, error: &Error) -> Error {
    Error::new(error.kind(), format!("{}: {error}", path.display()))
}
