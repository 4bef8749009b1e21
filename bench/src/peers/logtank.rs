//! The host itself.

use std::io::{Error, Result};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::server::{free_addresses, version};
use super::{Context, Process, Sync};
use crate::http::get;

/// The program: as told, or beside this one.
///
/// # Errors
/// If it is not there.
pub(crate) fn find(told: Option<&Path>) -> Result<PathBuf> {
    let path = match told {
        Some(path) => path.to_owned(),
        None => std::env::current_exe()?.with_file_name("logtank"),
    };
    if path.is_file() {
        return Ok(path);
    }
    Err(Error::other(format!(
        "{} is not there: build it (cargo build --release --bin logtank), or name it with --logtank",
        path.display()
    )))
}

/// Polls before it sleeps.
pub(super) const BUSY_POLL: [&str; 2] = ["--busy-poll", "200us"];
/// The longest interval that the host takes.
pub(super) const UNSYNCED: [&str; 2] = ["--sync-interval", "1h"];

/// What is told of it in the report.
pub(super) fn describe(context: &Context, sync: Sync, more: &[&str]) -> Option<String> {
    let version = version(&context.logtank, "--version")?;
    Some(format!("{version}: {}", arguments(context, sync, more).join(" ")))
}

fn arguments(context: &Context, sync: Sync, more: &[&str]) -> Vec<String> {
    let mut arguments: Vec<String> = ["--shards", "1", "--log-level", "info"].map(str::to_owned).into();
    let sync = match sync {
        Sync::Interval => "interval",
        Sync::Always => "always",
    };
    arguments.extend(["--sync", sync].iter().chain(more).map(|word| (*word).to_owned()));
    // Dealing would take its processor time from the load generator, where there are just two processors; workload F has
    // both.
    if !context.host_arguments.iter().any(|argument| argument.starts_with("--role")) {
        arguments.extend(["--role", "writer"].map(str::to_owned));
    }
    arguments.extend(context.host_arguments.iter().cloned());
    arguments
}

/// Its ports.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    pub(crate) writer: SocketAddr,
    pub(crate) reader: SocketAddr,
    pub(crate) manager: SocketAddr,
    pub(crate) metrics: SocketAddr,
}

/// Starts one to be loaded.
pub(super) fn start(
    context: &Context,
    folder: &Path,
    sync: Sync,
    more: &[&str],
    leave_out: Option<&str>,
) -> Result<(Process, Ports)> {
    serve(context, folder, &arguments(context, sync, more), leave_out)
}

/// Starts one with these arguments on a folder; with parts to be left out, the measuring build.
///
/// # Errors
/// If it does not get ready.
pub(crate) fn serve(
    context: &Context,
    folder: &Path,
    arguments: &[String],
    leave_out: Option<&str>,
) -> Result<(Process, Ports)> {
    let [writer, reader, manager, metrics] = free_addresses()?;
    let ports = Ports { writer, reader, manager, metrics };
    let program = match leave_out {
        None => &context.logtank,
        Some(_) => context.measuring.as_ref().ok_or_else(|| Error::other("there is no --measuring-build"))?,
    };
    let mut command = Command::new(program);
    command.env("LEAVE_OUT", leave_out.unwrap_or_default());
    command.arg("serve").arg("--data").arg(folder);
    command.arg("--writer-addr").arg(ports.writer.to_string());
    command.arg("--reader-addr").arg(ports.reader.to_string());
    command.arg("--manager-addr").arg(ports.manager.to_string());
    command.arg("--metrics-addr").arg(ports.metrics.to_string());
    command.args(arguments);
    // It places its threads itself: the shard on the first processor, all others beside it.
    let is_ready = || get(ports.metrics, "/readyz").is_ok_and(|(status, _)| status == 200);
    let process = Process::start_until(command, &context.placement.all, is_ready)?;
    Ok((process, ports))
}

/// Deals everything in a stopped host's folder; the command that does.
pub(crate) fn drain(context: &Context, folder: &Path) -> Command {
    let mut command = Command::new(&context.logtank);
    command.arg("drain").arg("--data").arg(folder);
    command
}
