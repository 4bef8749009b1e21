//! What all peers have in common.

use std::io::Result;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{Process, echo, logtank, nats, redis};
use crate::machine::Placement;
use crate::protocol::Protocol;

/// When a batch is safe from a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sync {
    /// A second after it was acknowledged.
    Interval,
    /// When it is acknowledged.
    Always,
}

/// Parts of the host that a measuring build leaves out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Without {
    /// None: what the others are compared with.
    Nothing,
    Metrics,
    Checksums,
    Positions,
    /// The three.
    All,
}

impl Without {
    pub(crate) const EACH: [Self; 5] =
        [Self::Nothing, Self::Metrics, Self::Checksums, Self::Positions, Self::All];

    /// As the measuring build calls them.
    const fn parts(self) -> &'static str {
        match self {
            Self::Nothing => "",
            Self::Metrics => "metrics",
            Self::Checksums => "checksums",
            Self::Positions => "positions",
            Self::All => "metrics,checksums,positions",
        }
    }
}

/// A server to be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Peer {
    Logtank(Sync),
    LogtankBusyPoll,
    /// Synced so seldom that no fdatasync falls into a run, except by size: to show what syncing costs.
    LogtankUnsynced,
    LogtankWithout(Without),
    EchoUring,
    EchoEpoll,
    Redis(Sync),
    Nats(Sync),
}

impl Peer {
    /// As it is called in results.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Logtank(Sync::Interval) => "logtank",
            Self::Logtank(Sync::Always) => "logtank, sync always",
            Self::LogtankUnsynced => "logtank, without sync",
            Self::LogtankBusyPoll => "logtank, busy-poll",
            Self::LogtankWithout(Without::Nothing) => "logtank, measuring build",
            Self::LogtankWithout(Without::Metrics) => "logtank, without metrics",
            Self::LogtankWithout(Without::Checksums) => "logtank, without checksums",
            Self::LogtankWithout(Without::Positions) => "logtank, without shared positions",
            Self::LogtankWithout(Without::All) => "logtank, without the three",
            Self::EchoUring => "echo (io_uring)",
            Self::EchoEpoll => "echo (epoll)",
            Self::Redis(Sync::Interval) => "redis, everysec",
            Self::Redis(Sync::Always) => "redis, always",
            Self::Nats(Sync::Always) => "nats, sync always",
            Self::Nats(Sync::Interval) => "nats",
        }
    }

    /// Whether it is of this family, as chosen by `--peers`.
    pub(crate) fn is_of(self, family: &str) -> bool {
        self.name().split([',', ' ']).next() == Some(family)
    }

    pub(crate) const fn protocol(self) -> Protocol {
        match self {
            Self::Logtank(_) | Self::LogtankBusyPoll | Self::LogtankUnsynced | Self::LogtankWithout(_) => {
                Protocol::Thrift
            }
            Self::EchoUring | Self::EchoEpoll => Protocol::Echo,
            Self::Redis(_) => Protocol::Redis,
            Self::Nats(_) => Protocol::Nats,
        }
    }

    /// What is told of it in the report; `None` if it is not installed, or can't do this.
    pub(crate) fn describe(self, context: &Context) -> Option<String> {
        match self {
            Self::Logtank(sync) => logtank::describe(context, sync, &[]),
            Self::LogtankBusyPoll => logtank::describe(context, Sync::Interval, &logtank::BUSY_POLL),
            Self::LogtankUnsynced => logtank::describe(context, Sync::Interval, &logtank::UNSYNCED),
            Self::LogtankWithout(_) => {
                context.measuring.as_ref().and_then(|_| logtank::describe(context, Sync::Interval, &[]))
            }
            Self::EchoUring | Self::EchoEpoll => Some(echo::describe(self)),
            Self::Redis(sync) => redis::describe(sync),
            Self::Nats(sync) => nats::describe(sync),
        }
    }

    /// Starts it on an empty folder.
    ///
    /// # Errors
    /// If it does not get ready.
    pub(crate) fn start(self, context: &Context, connections: usize, request_bytes: usize) -> Result<Server> {
        let folder = tempfile::Builder::new().prefix("bench-").tempdir_in(&context.dir)?;
        let mut metrics = None;
        let mut host = |sync, more: &[&str], leave_out| {
            let (process, ports) = logtank::start(context, folder.path(), sync, more, leave_out)?;
            metrics = Some(ports.metrics);
            Ok((process, ports.writer))
        };
        let (process, addr) = match self {
            Self::Logtank(sync) => host(sync, &[], None),
            Self::LogtankBusyPoll => host(Sync::Interval, &logtank::BUSY_POLL, None),
            Self::LogtankUnsynced => host(Sync::Interval, &logtank::UNSYNCED, None),
            Self::LogtankWithout(without) => host(Sync::Interval, &[], Some(without.parts())),
            Self::EchoUring | Self::EchoEpoll => echo::start(context, self, connections, request_bytes),
            Self::Redis(sync) => redis::start(context, folder.path(), sync),
            Self::Nats(sync) => nats::start(context, folder.path(), sync),
        }?;
        Ok(Server { process, addr, metrics, _folder: Some(folder) })
    }
}

/// A running peer; ends and leaves nothing when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) process: Process,
    /// Where batches go.
    pub(crate) addr: SocketAddr,
    /// Where it tells of itself over HTTP, if it does.
    pub(crate) metrics: Option<SocketAddr>,
    _folder: Option<TempDir>,
}

impl Server {
    /// A host on a folder that is somebody else's.
    pub(crate) const fn on_foreign_folder(process: Process, ports: logtank::Ports) -> Self {
        Self { process, addr: ports.writer, metrics: Some(ports.metrics), _folder: None }
    }
}

/// What peers are started with.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    /// Each gets a folder of its own there.
    pub(crate) dir: PathBuf,
    /// The host's program.
    pub(crate) logtank: PathBuf,
    /// A build of it that can leave out parts of itself.
    pub(crate) measuring: Option<PathBuf>,
    pub(crate) placement: Placement,
    /// More for the host's command line.
    pub(crate) host_arguments: Vec<String>,
}

/// Addresses on loopback that were free a moment ago, each of them another one.
pub(super) fn free_addresses<const N: usize>() -> Result<[SocketAddr; N]> {
    // All are held until the last one is there, or the system might give one twice.
    let mut held = Vec::with_capacity(N);
    let mut addresses = [SocketAddr::from(([127, 0, 0, 1], 0)); N];
    for address in &mut addresses {
        let listener = TcpListener::bind(*address)?;
        *address = listener.local_addr()?;
        held.push(listener);
    }
    Ok(addresses)
}

/// What a program answers to `--version`; `None` if it is not installed.
pub(super) fn version(program: &Path, argument: &str) -> Option<String> {
    let output = std::process::Command::new(program).arg(argument).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().next().map(|line| line.trim().to_owned()).filter(|_| output.status.success())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_address_is_given_twice() {
        // Of so many that were not held, some would be the same: the system picks among some 28,000.
        let addresses = free_addresses::<500>().unwrap();
        assert_eq!(BTreeSet::from(addresses).len(), 500);
    }
}
