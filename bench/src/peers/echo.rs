//! The bare echoes: this program again, as a process of its own.

use std::io::Result;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use super::{Context, Peer, Process};
use crate::machine::Placement;
use crate::protocol::reply_bytes;

pub(super) fn describe(peer: Peer) -> String {
    match peer {
        Peer::EchoUring => "logtank-bench echo: the host's ring set-up (deferred task running, single issuer, registered \
                            files and ring, multishot receive into provided buffers), answers each whole request with as \
                            many bytes as the host does"
            .to_owned(),
        _ => "logtank-bench echo: edge-triggered epoll, one read and one write a request, otherwise the same".to_owned(),
    }
}

pub(super) fn start(
    context: &Context,
    peer: Peer,
    connections: usize,
    request_bytes: usize,
) -> Result<(Process, SocketAddr)> {
    let kind = if peer == Peer::EchoUring { "uring" } else { "epoll" };
    echo(&context.placement, kind, connections, request_bytes)
}

/// On the ring.
///
/// # Errors
/// If it can't be started.
pub(crate) fn uring(
    placement: &Placement,
    connections: usize,
    request_bytes: usize,
) -> Result<(Process, SocketAddr)> {
    echo(placement, "uring", connections, request_bytes)
}

fn echo(
    placement: &Placement,
    kind: &str,
    connections: usize,
    request_bytes: usize,
) -> Result<(Process, SocketAddr)> {
    let arguments = [
        "--kind",
        kind,
        "--request-bytes",
        &request_bytes.to_string(),
        "--reply-bytes",
        &reply_bytes().to_string(),
        "--connections",
        &connections.to_string(),
    ];
    listening(placement, &arguments)
}

/// A server that sends `file` to a connection, from the page cache or past it.
///
/// # Errors
/// If it can't be started.
pub(crate) fn stream(context: &Context, file: &Path, direct: bool) -> Result<(Process, SocketAddr)> {
    let file = file.to_string_lossy();
    let mut arguments = vec!["--kind", "stream", "--file", &file];
    arguments.extend(direct.then_some("--direct"));
    listening(&context.placement, &arguments)
}

fn listening(placement: &Placement, arguments: &[&str]) -> Result<(Process, SocketAddr)> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("echo").args(arguments);
    Process::listening(command, &[placement.server])
}
