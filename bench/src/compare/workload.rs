use std::io::Result;

use super::arguments::Letter;
use super::goals::Judge;
use super::runner::Runner;

/// A kind of work that the host and its peers are put to.
pub(super) struct Workload {
    /// What it is called; what it is stands there.
    pub(super) letter: Letter,
    /// Adds what it measures to the runner's results.
    pub(super) run: fn(&mut Runner<'_>) -> Result<()>,
    /// Judges what it measured; what was not has no goal.
    pub(super) goals: fn(&mut Judge<'_>),
}
