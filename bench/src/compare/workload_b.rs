//! B: 100 records of 1 KB a batch: bandwidth, sustained, and whether latency is tied to the fdatasync.

use std::io::Result;

use super::runner::{CLOSED, Run, Runner};
use crate::load::Shape;
use crate::machine;
use crate::peers::{Peer, Sync, fio};

pub(super) const NAME: &str = "B";
pub(super) const CONNECTIONS: [usize; 3] = [1, 8, 64];
/// Half of what the host reaches in closed loop.
pub(super) const HALF: &str = "half of logtank's rate";
/// What fio writes with its best block size.
pub(super) const FIO_BEST: &str = "fio, best block size";

pub(super) const HOST: Peer = Peer::Logtank(Sync::Interval);
pub(super) const WITHOUT_SYNC: Peer = Peer::Logtank(Sync::Never);
pub(super) const REDIS: Peer = Peer::Redis(Sync::Interval);

pub(super) fn run(runner: &mut Runner<'_>) -> Result<()> {
    let shape = Shape { batch: 100, ..Shape::default() };
    let asked = runner.arguments.long_seconds.unwrap_or(60.0);
    // What is written stays until the run is over, and segments are made ready before they are filled.
    let free = machine::free_bytes(&runner.context.dir)? as f64;
    let seconds = asked.min(free / 4.0 / 2e9).max(1.0);
    if seconds < asked {
        runner.note(format!(
            "B ran {seconds:.0} s instead of {asked:.0} s: there is not room for more in --dir."
        ));
    }
    runner.rounds(|runner| {
        write_bare(runner)?;
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

fn write_bare(runner: &mut Runner<'_>) -> Result<()> {
    if !runner.arguments.peers.iter().any(|peer| peer == "fio") {
        return Ok(());
    }
    let Some(text) = fio::describe() else {
        runner.note("fio was left out: not installed here".to_owned());
        return Ok(());
    };
    if !runner.results.machine.peers.iter().any(|(name, _)| name == "fio") {
        runner.results.machine.peers.push(("fio".to_owned(), text));
    }
    let mut best = 0.0_f64;
    // A file that is written over and over, as the host's segments are once they are recycled.
    let file_bytes = (runner.arguments.scale * 4e9) as u64;
    let seconds = (runner.arguments.seconds.round() as u64).max(1);
    for size in fio::BLOCK_SIZES {
        machine::settle(&runner.context.dir)?;
        let dir = runner.context.dir.clone();
        let rate = fio::sequential(&runner.context.placement, &dir, size, seconds, file_bytes)?;
        runner.figure(NAME, &format!("fio, {size}"), rate / 1e6, "MB/s");
        best = best.max(rate);
    }
    runner.figure(NAME, FIO_BEST, best / 1e6, "MB/s");
    Ok(())
}
