//! The system's own tools: making a filesystem, attaching and mounting it.

use std::ffi::OsStr;
use std::io::{Error, Result};
use std::process::Command;

/// Runs a program to its end; returns what it printed.
///
/// # Errors
/// If it can't be started or fails: what it said.
pub(crate) fn run<S: AsRef<OsStr>>(program: &str, arguments: &[S]) -> Result<String> {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .map_err(|error| Error::new(error.kind(), format!("{program} can't be run ({error})")))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let arguments: Vec<_> = arguments.iter().map(|part| part.as_ref().to_string_lossy()).collect();
    Err(Error::other(format!("{program} {}: {}", arguments.join(" "), said.trim())))
}
