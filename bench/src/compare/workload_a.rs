//! A: one record of 1 KB a batch, synced once a second.

use std::io::Result;

use super::runner::{CLOSED, Run, Runner};
use super::sync_marks;
use crate::load::Shape;
use crate::peers::{Peer, Sync};

pub(super) const NAME: &str = "A";
pub(super) const CONNECTIONS: [usize; 4] = [1, 8, 64, 256];
/// Half of what the slower of host and echo reaches in closed loop.
pub(crate) const HALF_OF_ECHO: &str = "half of logtank's or the echo's rate";
/// Half of what the slower of host and Redis reaches in closed loop.
pub(super) const HALF_OF_REDIS: &str = "half of logtank's or redis' rate";

/// Half of the host's own rate, with the fdatasyncs marked.
pub(crate) const TIMELINE: &str = "timeline";

pub(super) const HOST: Peer = Peer::Logtank(Sync::Interval);
pub(super) const REDIS: Peer = Peer::Redis(Sync::Interval);
pub(super) const ECHOES: [Peer; 2] = [Peer::EchoUring, Peer::EchoEpoll];

pub(super) fn run(runner: &mut Runner<'_>) -> Result<()> {
    let shape = Shape::default();
    runner.rounds(|runner| {
        for connections in runner.connections(&CONNECTIONS) {
            closed(runner, connections, &shape)?;
            let echo = ECHOES.into_iter().filter_map(|echo| rate(runner, echo, connections)).reduce(f64::max);
            open(runner, connections, &shape, echo, HALF_OF_ECHO, &[HOST, ECHOES[0], ECHOES[1]])?;
            let redis = rate(runner, REDIS, connections);
            open(runner, connections, &shape, redis, HALF_OF_REDIS, &[HOST, REDIS])?;
        }
        Ok(())
    })?;
    timeline(runner, &shape)
}

/// One run more, in which the host is asked again and again when it synced. That costs the load generator time, so it is
/// for the chart only.
fn timeline(runner: &mut Runner<'_>, shape: &Shape) -> Result<()> {
    let connections = 64;
    let Some(rate) = rate(runner, HOST, connections) else { return Ok(()) };
    // Some fdatasyncs should be in it, unless this is only tried out.
    let asked = runner.arguments.seconds;
    let seconds = if runner.arguments.is_trial() { asked } else { asked.max(4.0) };
    let run =
        Run { rate: Some((rate / 2.0, TIMELINE)), ..Run::closed(NAME, HOST, connections, shape, seconds) };
    sync_marks::run(runner, &run)
}

fn closed(runner: &mut Runner<'_>, connections: usize, shape: &Shape) -> Result<()> {
    let mut peers = vec![HOST, ECHOES[0], ECHOES[1], REDIS, Peer::Nats(Sync::Interval)];
    if connections == 1 {
        peers.push(Peer::LogtankBusyPoll);
    }
    let seconds = runner.arguments.seconds;
    runner.run_each(&peers, &Run::closed(NAME, HOST, connections, shape, seconds))
}

fn rate(runner: &Runner<'_>, peer: Peer, connections: usize) -> Option<f64> {
    let cell = runner.this_round(NAME, peer, connections, CLOSED)?;
    Some(cell.measured.records_per_second)
}

/// All at one rate, that both can hold: only so are latencies comparable.
fn open(
    runner: &mut Runner<'_>,
    connections: usize,
    shape: &Shape,
    theirs: Option<f64>,
    name: &str,
    peers: &[Peer],
) -> Result<()> {
    let (Some(ours), Some(theirs)) = (rate(runner, HOST, connections), theirs) else { return Ok(()) };
    let offered = ours.min(theirs) / 2.0;
    let seconds = runner.arguments.seconds;
    let rate = Some((offered, name));
    runner.run_each(peers, &Run { rate, ..Run::closed(NAME, HOST, connections, shape, seconds) })
}
