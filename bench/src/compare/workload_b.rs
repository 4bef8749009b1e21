//! B: 100 records of 1 KB a batch: bandwidth, sustained, and whether latency is tied to the fdatasync.

use std::io::Result;

use super::arguments::Letter;
use super::goals::{BYTES, Judge, P999};
use super::results::{CLOSED, open};
use super::runner::{Run, Runner};
use super::workload::Workload;
use crate::load::Shape;
use crate::machine;
use crate::peers::{Peer, Sync, fio};

pub(super) const WORKLOAD: Workload = Workload { letter: Letter::B, run, goals };

const NAME: &str = "B";
const CONNECTIONS: [usize; 3] = [1, 8, 64];
/// Half of what the host reaches in closed loop.
const HALF: &str = "half of logtank's rate";
/// What fio writes with its best block size.
const FIO_BEST: &str = "fio, best block size";

/// Of a drive that nothing is known of.
const GUESS_BYTES_PER_SECOND: f64 = 4e9;

const HOST: Peer = Peer::Logtank(Sync::Interval);
const WITHOUT_SYNC: Peer = Peer::LogtankUnsynced;
const REDIS: Peer = Peer::Redis(Sync::Interval);

fn run(runner: &mut Runner<'_>) -> Result<()> {
    let shape = Shape { batch: 100, ..Shape::default() };
    let asked = runner.arguments.long_seconds.unwrap_or(60.0);
    runner.rounds(|runner| {
        let seconds = write_bare(runner, asked)?;
        for connections in runner.connections(&CONNECTIONS) {
            for peer in [HOST, REDIS, Peer::Nats(Sync::Interval)] {
                // Redis keeps in memory what it writes.
                let seconds = if peer == HOST { seconds } else { seconds.min(runner.arguments.seconds) };
                if runner.has(peer) {
                    runner.run(&Run::closed(NAME, peer, connections, &shape, seconds))?;
                }
            }
            let Some(cell) = runner.this_round(NAME, HOST, connections, CLOSED) else { continue };
            let rate = Some((cell.measured.records_per_second / 2.0, HALF));
            let seconds = seconds.min(runner.arguments.seconds);
            runner.run_each(
                &[HOST, WITHOUT_SYNC],
                &Run { rate, ..Run::closed(NAME, HOST, connections, &shape, seconds) },
            )?;
        }
        Ok(())
    })
}

/// What fio writes with each block size, and with the best of them for as long as the host is to; and how long that is.
fn write_bare(runner: &mut Runner<'_>, asked: f64) -> Result<f64> {
    if !runner.arguments.peers.iter().any(|peer| peer == "fio") {
        return room_for(runner, asked, GUESS_BYTES_PER_SECOND);
    }
    let Some(text) = fio::describe() else {
        runner.note("fio was left out: not installed here".to_owned());
        return room_for(runner, asked, GUESS_BYTES_PER_SECOND);
    };
    if !runner.results.machine.peers.iter().any(|(name, _)| name == "fio") {
        runner.results.machine.peers.push(("fio".to_owned(), text));
    }
    // A file that is written over and over, as the host's segments are once they are recycled.
    let file_bytes = (runner.arguments.scale * 4e9) as u64;
    let write = |runner: &mut Runner<'_>, size: &str, seconds: f64| {
        machine::settle(&[&runner.context.dir])?;
        let dir = runner.context.dir.clone();
        let seconds = (seconds.round() as u64).max(1);
        fio::sequential(&runner.context.placement, &dir, size, seconds, file_bytes)
    };
    let mut best = (0.0_f64, fio::BLOCK_SIZES[0]);
    for size in fio::BLOCK_SIZES {
        let rate = write(runner, size, runner.arguments.seconds)?;
        runner.figure(NAME, &format!("fio, {size}"), rate / 1e6, "MB/s");
        if rate > best.0 {
            best = (rate, size);
        }
    }
    let seconds = room_for(runner, asked, best.0)?;
    let rate = write(runner, best.1, seconds)?;
    runner.figure(NAME, FIO_BEST, rate / 1e6, "MB/s");
    Ok(seconds)
}

/// For how long of the time asked for there is room at so many bytes a second.
fn room_for(runner: &mut Runner<'_>, asked: f64, bytes_per_second: f64) -> Result<f64> {
    // What is written stays until the run is over, segments are made ready before they are filled, and the page cache takes
    // more than the drive for a while.
    let free = machine::free_bytes(&runner.context.dir)? as f64;
    let seconds = asked.min((free / 2.0 / bytes_per_second).floor()).max(1.0);
    if seconds < asked {
        runner.note(format!(
            "B ran {seconds:.0} s instead of {asked:.0} s: there is not room for more in --dir."
        ));
    }
    Ok(seconds)
}

fn goals(judge: &mut Judge<'_>) {
    for connections in CONNECTIONS {
        let bytes = judge.median(NAME, HOST, connections, CLOSED, BYTES);
        let fio = judge.figure(NAME, FIO_BEST);
        judge.at_least(format!("B: bandwidth at {connections} connections, of fio's"), bytes, fio, 0.9);
        let redis = judge.median(NAME, REDIS, connections, CLOSED, BYTES);
        judge.at_least(
            format!("B: bandwidth at {connections} connections, of Redis everysec's"),
            bytes,
            redis,
            3.0,
        );
        let with = judge.median(NAME, HOST, connections, &open(HALF), P999);
        let without = judge.median(NAME, WITHOUT_SYNC, connections, &open(HALF), P999);
        let name = format!("B: p99.9 at {connections} connections and half the rate, of that without sync");
        judge.at_most(name, with, without, 1.5);
    }
}
