//! The configuration file and the texts of its values: the program's own modules, which no library has.

use std::path::Path;

#[path = "../../../server/src/config/file.rs"]
mod file;
#[expect(dead_code, reason = "what the program has more of")]
#[path = "../../../server/src/config/problems.rs"]
mod problems;
#[expect(dead_code, reason = "what the program has more of")]
#[path = "../../../server/src/config/units.rs"]
mod units;

const NAMES: [&str; 4] = ["data", "shards", "sync_interval", "writer_addr"];

/// Any text is a table of known settings, or a problem that names its line.
pub(crate) fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut problems = problems::Problems::default();
    let found = file::parse(Path::new("x.toml"), text, &NAMES, &mut problems);
    let lines = text.matches('\n').count() + 1;
    for (name, value) in &found {
        assert!(
            NAMES.contains(&name.as_str()) && (1..=lines).contains(&value.line),
            "{name} at {}",
            value.line
        );
        one(&value.text);
    }
    for problem in &problems.0 {
        let line = problem.place.strip_prefix("x.toml:").and_then(|line| line.parse::<usize>().ok());
        assert!(line.is_some_and(|line| (1..=lines).contains(&line)), "{problem:?}");
        assert!(!problem.what.is_empty());
    }
    one(text);
}

/// A value's text, as each kind of setting reads it.
fn one(text: &str) {
    let _ = (units::bytes(text), units::duration(text), units::number::<u64>(text), units::flag(text));
    let _ = (units::address(text), units::or_word(text, "unlimited", units::bytes));
}
