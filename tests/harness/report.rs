//! Figures that a test found, one line of JSON each, for the tables of docs/reliability.md.

use std::fs::OpenOptions;
use std::io::Write;
use std::time::Duration;

/// Prints a line, and appends it to the file that `LOGTANK_TEST_REPORT` names, if it does.
///
/// # Panics
/// If that file can't be written.
pub fn line(json: &str) {
    println!("{json}");
    if let Some(path) = std::env::var_os("LOGTANK_TEST_REPORT") {
        let mut file = OpenOptions::new().create(true).append(true).open(path).expect("the report opens");
        writeln!(file, "{json}").expect("the report is written");
    }
}

/// Durations in whole milliseconds, sorted.
#[must_use]
pub fn milliseconds(durations: impl Iterator<Item = Duration>) -> Vec<u128> {
    let mut all: Vec<_> = durations.map(|duration| duration.as_millis()).collect();
    all.sort_unstable();
    all
}
