//! Redis streams with an append-only file.

use std::io::Result;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use super::server::{free_addresses, version};
use super::{Context, Process, Sync};

const PROGRAM: &str = "redis-server";

const fn appendfsync(sync: Sync) -> &'static str {
    match sync {
        Sync::Interval => "everysec",
        Sync::Always => "always",
    }
}

pub(super) fn describe(sync: Sync) -> Option<String> {
    let version = version(Path::new(PROGRAM), "--version")?;
    let sync = appendfsync(sync);
    Some(format!(
        "{version}: appendonly yes, appendfsync {sync}, save \"\", no rewriting of the file while it is measured, serving \
         thread on the server's processor and background threads on the other; one XADD a record, those of a batch sent \
         at once without MULTI, MAXLEN ~ 100000"
    ))
}

pub(super) fn start(context: &Context, folder: &Path, sync: Sync) -> Result<(Process, SocketAddr)> {
    let [address] = free_addresses()?;
    let mut command = Command::new(PROGRAM);
    command.arg("--port").arg(address.port().to_string()).args(["--bind", "127.0.0.1"]);
    command.arg("--dir").arg(folder).args(["--save", "", "--appendonly", "yes"]);
    command.args(["--appendfsync", appendfsync(sync), "--auto-aof-rewrite-percentage", "0"]);
    command.arg("--server_cpulist").arg(context.placement.server.to_string());
    command.arg("--bio_cpulist").arg(context.placement.client.to_string());
    let (process, _) = Process::start(command, &context.placement.all, "Ready to accept connections")?;
    Ok((process, address))
}
