use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueHint};

/// Exit code 0: all is as wanted; 1: something is not; 2: something could not be told.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit code: 0 if all is as wanted, 1 if something is not, 2 if something could not be told."
)]
pub(crate) struct TuneArgs {
    /// The data directory, or where it will be.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) data: PathBuf,
    /// The folder that holds raw/, if it is not the data directory.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) raw_dir: Option<PathBuf>,
    /// Print one JSON object in place of the table.
    #[arg(long, conflicts_with = "script")]
    pub(crate) json: bool,
    /// Do what can be done, keep it over restarts, keep the measurement for `serve`, and look again. Needs root.
    #[arg(long, conflicts_with = "script")]
    pub(crate) apply: bool,
    /// Print a shell script that does it, and do nothing.
    #[arg(long)]
    pub(crate) script: bool,
    /// Measure the drive for this long; 0s leaves it out.
    #[arg(long, value_name = "DURATION", default_value = "4s", value_parser = humantime::parse_duration)]
    pub(crate) measure_for: Duration,
}
