//! NATS JetStream with file storage.

use std::io::Result;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;

use super::server::{free_addresses, version};
use super::{Context, Process, Sync};
use crate::protocol::create_nats_stream;

const PROGRAM: &str = "nats-server";

pub(super) fn describe(sync: Sync) -> Option<String> {
    let version = version(Path::new(PROGRAM), "--version")?;
    let sync = match sync {
        Sync::Interval => "file storage synced as by default (every two minutes)",
        Sync::Always if takes_sync_always() => "sync_interval: always",
        Sync::Always => return None,
    };
    Some(format!(
        "{version}: JetStream, {sync}; one stream over all subjects, one message with an acknowledgement a record, those of \
         a batch sent at once; it may use all processors"
    ))
}

fn configuration(address: SocketAddr, folder: &Path, sync: Sync) -> String {
    let always = if sync == Sync::Always { ", sync_interval: always" } else { "" };
    format!(
        "listen: \"{address}\"\njetstream {{ store_dir: \"{}\", max_file_store: 1TB{always} }}\n",
        folder.display()
    )
}

/// Versions before 2.10 have no such setting.
fn takes_sync_always() -> bool {
    let check = || -> Result<bool> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("nats.conf");
        std::fs::write(&path, configuration(free_addresses::<1>()?[0], folder.path(), Sync::Always))?;
        let output = Command::new(PROGRAM).arg("-t").arg("-c").arg(&path).output()?;
        Ok(output.status.success())
    };
    check().unwrap_or(false)
}

pub(super) fn start(context: &Context, folder: &Path, sync: Sync) -> Result<(Process, SocketAddr)> {
    let [address] = free_addresses()?;
    let path = folder.join("nats.conf");
    std::fs::write(&path, configuration(address, folder, sync))?;
    let mut command = Command::new(PROGRAM);
    command.arg("-c").arg(path);
    let (process, _) = Process::start(command, &context.placement.all, "Server is ready")?;
    create_nats_stream(&mut TcpStream::connect(address)?)?;
    Ok((process, address))
}
