//! Results for other programs.

use std::io::{Error, Result};
use std::path::Path;

use serde::Serialize;

/// Writes results as JSON: to this file, to standard output if it is `-`, or nowhere.
///
/// # Errors
/// If the file can't be written.
pub(crate) fn json(path: Option<&Path>, results: &impl Serialize) -> Result<()> {
    let Some(path) = path else { return Ok(()) };
    let json = serde_json::to_string_pretty(results).map_err(Error::other)? + "\n";
    if path != Path::new("-") {
        return std::fs::write(path, json);
    }
    print!("{json}");
    Ok(())
}
