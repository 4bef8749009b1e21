//! The loop of one shard: this program again, as a process of its own.

use std::io::Result;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use super::Process;
use crate::machine::Placement;
use crate::shard::Kind;

/// One whose segments are in this folder.
///
/// # Errors
/// If it can't be started.
pub(crate) fn start(placement: &Placement, folder: &Path, kind: &Kind) -> Result<(Process, SocketAddr)> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["shard", "--kind", kind.as_str(), "--dir"]).arg(folder);
    // It places its threads itself: the shard on the first processor, all others beside the client.
    Process::listening(command, &placement.all)
}
