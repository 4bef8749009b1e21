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

/// The value below which `percent` of a hundred are, in milliseconds; 0 of nothing. `ages` are sorted.
#[must_use]
pub fn percentile(ages: &[Duration], percent: usize) -> u128 {
    match ages.len() {
        0 => 0,
        count => ages[((count - 1) * percent).div_ceil(100)].as_millis(),
    }
}
