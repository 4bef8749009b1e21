//! C: as A, but a batch is answered only when it is on the drive.

use std::io::Result;

use super::arguments::Letter;
use super::goals::{Judge, RATE};
use super::results::CLOSED;
use super::runner::{Run, Runner};
use super::workload::Workload;
use crate::load::Shape;
use crate::peers::{Peer, Sync};

pub(super) const WORKLOAD: Workload = Workload { letter: Letter::C, run, goals };

const NAME: &str = "C";
const CONNECTIONS: [usize; 2] = [64, 256];
const HOST: Peer = Peer::Logtank(Sync::Always);
/// The same, synced once a second, in the same rounds.
const INTERVAL: Peer = Peer::Logtank(Sync::Interval);
const REDIS: Peer = Peer::Redis(Sync::Always);

fn run(runner: &mut Runner<'_>) -> Result<()> {
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

fn goals(judge: &mut Judge<'_>) {
    for connections in CONNECTIONS {
        let rate = judge.median(NAME, HOST, connections, CLOSED, RATE);
        let redis = judge.median(NAME, REDIS, connections, CLOSED, RATE);
        judge.at_least(format!("C: rate at {connections} connections, of Redis always'"), rate, redis, 2.0);
    }
    let rate = judge.median(NAME, HOST, 256, CLOSED, RATE);
    let own = judge.median(NAME, INTERVAL, 256, CLOSED, RATE);
    judge.at_least("C: rate at 256 connections, of its own with sync interval".to_owned(), rate, own, 0.75);
}
