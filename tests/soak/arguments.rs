//! The command line.

use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) run_for: Duration,
    pub(crate) cycle: Duration,
    pub(crate) data: Option<PathBuf>,
    pub(crate) plot: Option<PathBuf>,
    /// Samples of an earlier run, to be drawn and summed up instead of taking new ones.
    pub(crate) samples: Option<PathBuf>,
}

impl Arguments {
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let (minute, cycle) = (Duration::from_secs(60), Duration::from_secs(180));
        let mut arguments = Self { run_for: 60 * minute, cycle, data: None, plot: None, samples: None };
        while let Some(word) = words.next() {
            let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
            let number = || value.parse::<u32>().map_err(|_| format!("{word} needs a number, not {value:?}"));
            match word.as_str() {
                "--minutes" => arguments.run_for = number()? * minute,
                "--cycle-seconds" => arguments.cycle = Duration::from_secs(number()?.into()),
                "--data" => arguments.data = Some(value.into()),
                "--plot" => arguments.plot = Some(value.into()),
                "--samples" => arguments.samples = Some(value.into()),
                _ => return Err(format!("{word} is no argument")),
            }
        }
        Ok(arguments)
    }
}
