//! fio: what the drive takes when nothing but writing is done.

use std::io::{Error, Result};
use std::path::Path;
use std::process::Command;

use super::server::version;
use crate::machine::Placement;

const PROGRAM: &str = "fio";
/// Tried in turn; the best counts.
pub(crate) const BLOCK_SIZES: [&str; 3] = ["256k", "1m", "4m"];

/// What is told of it in the report; `None` if it is not installed.
pub(crate) fn describe() -> Option<String> {
    let version = version(Path::new(PROGRAM), "--version")?;
    let sizes = BLOCK_SIZES.join(", ");
    Some(format!(
        "{version}: --rw=write --direct=1 --ioengine=io_uring --iodepth=32, the best of block sizes {sizes}"
    ))
}

/// Bytes a second that sequential writing reaches in `folder`.
///
/// # Errors
/// If fio fails.
pub(crate) fn sequential(
    placement: &Placement,
    folder: &Path,
    block_size: &str,
    seconds: u64,
    file_bytes: u64,
) -> Result<f64> {
    let mut command = Command::new(PROGRAM);
    command.args(["--name=sequential", "--rw=write", "--direct=1", "--ioengine=io_uring", "--iodepth=32"]);
    command.args(["--time_based", "--output-format=json", "--unlink=1"]);
    command.arg(format!("--bs={block_size}")).arg(format!("--runtime={seconds}"));
    command.arg(format!("--size={file_bytes}")).arg(format!("--directory={}", folder.display()));
    let output = Placement::on(&placement.all, || command.output())?;
    if !output.status.success() {
        return Err(Error::other(format!("fio failed: {}", String::from_utf8_lossy(&output.stderr))));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    // Warnings may stand in front of the JSON.
    let json: serde_json::Value =
        serde_json::from_str(&text[text.find('{').unwrap_or(0)..]).map_err(Error::other)?;
    json["jobs"][0]["write"]["bw_bytes"].as_f64().ok_or_else(|| Error::other("fio's output has no bandwidth"))
}
