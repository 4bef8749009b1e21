//! G: what a record costs, and whether memory stays flat.

use std::io::Result;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use super::arguments::Letter;
use super::goals::{COST, Judge, RATE};
use super::results::CLOSED;
use super::runner::{Run, Runner};
use super::workload::Workload;
use crate::load::Shape;
use crate::machine;
use crate::peers::{Peer, Sync, Without};

pub(super) const WORKLOAD: Workload = Workload { letter: Letter::G, run, goals };

const NAME: &str = "G";
const CONNECTIONS: usize = 64;
const HOST: Peer = Peer::Logtank(Sync::Interval);
const ECHO: Peer = Peer::EchoUring;
/// Memory at the end by memory after the first quarter.
const GROWTH: &str = "memory at the end, of that after a quarter of the run";
const MODEST_RATE: f64 = 20_000.0;
const MINUTES_10: f64 = 600.0;

fn run(runner: &mut Runner<'_>) -> Result<()> {
    let (shape, seconds) = (Shape::default(), runner.arguments.seconds);
    runner.rounds(|runner| {
        runner.run_each(&[HOST, ECHO], &Run::closed(NAME, HOST, CONNECTIONS, &shape, seconds))?;
        Ok(())
    })?;
    parts(runner, &shape)?;
    memory(runner, &shape)
}

/// What metrics, checksums and positions cost: the rate without them, by a build that can leave them out.
fn parts(runner: &mut Runner<'_>, shape: &Shape) -> Result<()> {
    if !runner.has(HOST) {
        return Ok(());
    }
    if runner.context.measuring.is_none() {
        runner.note(
            "G: what metrics, checksums and positions cost was not measured; see --measuring-build."
                .to_owned(),
        );
        return Ok(());
    }
    let seconds = runner.arguments.seconds;
    runner.rounds(|runner| {
        runner.run_each(
            &Without::EACH.map(Peer::LogtankWithout),
            &Run::closed(NAME, HOST, CONNECTIONS, shape, seconds),
        )?;
        Ok(())
    })
}

/// At a modest rate, so that the drive has room for what is written.
fn memory(runner: &mut Runner<'_>, shape: &Shape) -> Result<()> {
    if !runner.has(HOST) {
        return Ok(());
    }
    let asked = runner.arguments.long_seconds.unwrap_or(MINUTES_10);
    let free = machine::free_bytes(&runner.context.dir)? as f64;
    let seconds = asked.min(free / 4.0 / (MODEST_RATE * shape.record_bytes as f64));
    if seconds < MINUTES_10 {
        runner.note(format!("G watched memory for {seconds:.0} s, not for ten minutes."));
    }
    machine::settle(&[&runner.context.dir])?;
    let server = HOST.start(&runner.context, CONNECTIONS, 1)?;
    let pid = server.process.pid();
    let (over, is_over) = channel::<()>();
    let samples = std::thread::spawn(move || {
        let (began, mut samples) = (Instant::now(), Vec::new());
        loop {
            if let Ok(usage) = machine::of_process(pid) {
                samples.push((began.elapsed().as_secs_f64(), usage.resident_bytes as f64));
            }
            if is_over.recv_timeout(Duration::from_millis(500)) != Err(RecvTimeoutError::Timeout) {
                return samples;
            }
        }
    });
    let rate = Some((MODEST_RATE, "20,000 records/s"));
    runner.load(&Run { rate, ..Run::closed(NAME, HOST, CONNECTIONS, shape, seconds) }, &server)?;
    drop(over);
    let samples = samples.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    let end = samples.last().map_or(0.0, |sample| sample.0);
    let part = |from: f64, to: f64| {
        let values = samples
            .iter()
            .filter(move |(at, _)| (from * end..=to * end).contains(at))
            .map(|(_, bytes)| *bytes);
        super::results::Spread::of(values)
    };
    if let (Some(early), Some(late)) = (part(0.25, 0.5), part(0.75, 1.0)) {
        runner.figure(NAME, GROWTH, late.median / early.median, "");
    }
    Ok(())
}

fn goals(judge: &mut Judge<'_>) {
    let host = judge.median(NAME, HOST, CONNECTIONS, CLOSED, COST);
    let echo = judge.median(NAME, ECHO, CONNECTIONS, CLOSED, COST);
    judge.at_most("G: processor time per record, of the echo's".to_owned(), host, echo, 1.3);
    let rate = |without| judge.median(NAME, Peer::LogtankWithout(without), CONNECTIONS, CLOSED, RATE);
    let (with, without) = (rate(Without::Nothing), rate(Without::All));
    judge.at_least(
        "G: rate, of that without metrics, checksums and positions".to_owned(),
        with,
        without,
        0.95,
    );
    let growth = judge.figure(NAME, GROWTH);
    judge.at_most(format!("G: {GROWTH}"), growth, Some(1.0), 1.05);
}
