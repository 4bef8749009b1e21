//! C: as A, but a batch is answered only when it is on the drive.

use std::io::Result;

use super::runner::{Run, Runner};
use crate::load::Shape;
use crate::peers::{Peer, Sync};

pub(super) const NAME: &str = "C";
pub(super) const CONNECTIONS: [usize; 2] = [64, 256];
pub(super) const HOST: Peer = Peer::Logtank(Sync::Always);
/// The same, synced once a second, in the same rounds.
pub(super) const INTERVAL: Peer = Peer::Logtank(Sync::Interval);
pub(super) const REDIS: Peer = Peer::Redis(Sync::Always);

pub(super) fn run(runner: &mut Runner<'_>) -> Result<()> {
    let (shape, seconds) = (Shape::default(), runner.arguments.seconds);
    runner.rounds(|runner| {
        for connections in runner.connections(&CONNECTIONS) {
            runner.run_each(
                &[HOST, REDIS, Peer::Nats(Sync::Always), INTERVAL],
                &Run::closed(NAME, HOST, connections, &shape, seconds),
            )?;
        }
        Ok(())
    })
}
