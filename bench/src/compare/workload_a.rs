//! A: one record of 1 KB a batch, synced once a second.

use std::io::Result;

use super::arguments::Letter;
use super::goals::{Judge, P50, P999, RATE, Value};
use super::results::{CLOSED, open};
use super::runner::{Run, Runner};
use super::sync_marks;
use super::workload::Workload;
use crate::load::Shape;
use crate::peers::{Peer, Sync};

pub(super) const WORKLOAD: Workload = Workload { letter: Letter::A, run, goals };

const NAME: &str = "A";
const CONNECTIONS: [usize; 4] = [1, 8, 64, 256];
/// Half of what the slower of host and echo reaches in closed loop.
pub(crate) const HALF_OF_ECHO: &str = "half of logtank's or the echo's rate";
/// Half of what the slower of host and Redis reaches in closed loop.
const HALF_OF_REDIS: &str = "half of logtank's or redis' rate";

/// Half of the host's own rate, with the fdatasyncs marked.
pub(crate) const TIMELINE: &str = "timeline";

const HOST: Peer = Peer::Logtank(Sync::Interval);
const REDIS: Peer = Peer::Redis(Sync::Interval);
const ECHOES: [Peer; 2] = [Peer::EchoUring, Peer::EchoEpoll];

fn run(runner: &mut Runner<'_>) -> Result<()> {
    let shape = Shape::default();
    runner.rounds(|runner| {
        for connections in runner.connections(&CONNECTIONS) {
            closed(runner, connections, &shape)?;
            let echo = ECHOES.into_iter().filter_map(|echo| rate(runner, echo, connections)).reduce(f64::max);
            let half = Half { name: HALF_OF_ECHO, peers: &[HOST, ECHOES[0], ECHOES[1]] };
            half.run(runner, connections, &shape, echo)?;
            let redis = rate(runner, REDIS, connections);
            let half = Half { name: HALF_OF_REDIS, peers: &[HOST, REDIS] };
            half.run(runner, connections, &shape, redis)?;
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
    let run = Run {
        rate: Some((rate / 2.0, TIMELINE)),
        timeline: true,
        ..Run::closed(NAME, HOST, connections, shape, seconds)
    };
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
struct Half<'p> {
    /// What it is the half of.
    name: &'static str,
    peers: &'p [Peer],
}

impl Half<'_> {
    fn run(
        &self,
        runner: &mut Runner<'_>,
        connections: usize,
        shape: &Shape,
        theirs: Option<f64>,
    ) -> Result<()> {
        let (Some(ours), Some(theirs)) = (rate(runner, HOST, connections), theirs) else { return Ok(()) };
        let rate = Some((ours.min(theirs) / 2.0, self.name));
        let seconds = runner.arguments.seconds;
        runner.run_each(self.peers, &Run { rate, ..Run::closed(NAME, HOST, connections, shape, seconds) })
    }
}

fn goals(judge: &mut Judge<'_>) {
    for connections in [64, 256] {
        let rate = judge.median(NAME, HOST, connections, CLOSED, RATE);
        let echo = better_echo(judge, connections, CLOSED, RATE, f64::max);
        judge.at_least(
            format!("A: rate at {connections} connections, of the better echo's"),
            rate,
            echo,
            0.95,
        );
    }
    let p50 = judge.median(NAME, HOST, 1, CLOSED, P50);
    let echo = better_echo(judge, 1, CLOSED, P50, f64::min);
    judge.at_most("A: p50 at 1 connection, of the better echo's".to_owned(), p50, echo, 1.1);
    let busy = judge.median(NAME, Peer::LogtankBusyPoll, 1, CLOSED, P50);
    judge.at_most(
        "A: p50 at 1 connection with busy-poll, of the better echo's without".to_owned(),
        busy,
        echo,
        0.5,
    );
    for connections in CONNECTIONS {
        let mode = open(HALF_OF_ECHO);
        let p999 = judge.median(NAME, HOST, connections, &mode, P999);
        let echo = better_echo(judge, connections, &mode, P999, f64::min);
        let name = format!("A: p99.9 at {connections} connections and half the rate, of the better echo's");
        judge.at_most(name, p999, echo, 1.3);
    }
    for (connections, goal) in [(64, 1.5), (256, 2.0)] {
        let rate = judge.median(NAME, HOST, connections, CLOSED, RATE);
        let redis = judge.median(NAME, REDIS, connections, CLOSED, RATE);
        judge.at_least(
            format!("A: rate at {connections} connections, of Redis everysec's"),
            rate,
            redis,
            goal,
        );
    }
    for connections in CONNECTIONS {
        let mode = open(HALF_OF_REDIS);
        let p999 = judge.median(NAME, HOST, connections, &mode, P999);
        let redis = judge.median(NAME, REDIS, connections, &mode, P999);
        let name = format!("A: p99.9 at {connections} connections and half the rate, of Redis everysec's");
        judge.at_most(name, p999, redis, 1.0);
    }
}

/// The better of the two echoes, by what `better` says.
fn better_echo(
    judge: &Judge<'_>,
    connections: usize,
    mode: &str,
    value: Value,
    better: fn(f64, f64) -> f64,
) -> Option<f64> {
    ECHOES.into_iter().filter_map(|echo| judge.median(NAME, echo, connections, mode, value)).reduce(better)
}
