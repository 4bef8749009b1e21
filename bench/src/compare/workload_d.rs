//! D: recovery of one index in each state that it can be in, beside a bare stream of as many bytes.

use std::fs::File;
use std::io::{Read, Result, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use logtank_wire::info::IndexLogInfo;

use super::arguments::Letter;
use super::copy::copy;
use super::goals::Judge;
use super::runner::Runner;
use super::workload::Workload;
use crate::deal;
use crate::load::Shape;
use crate::machine::{self, Placement};
use crate::peers::{Peer, Process, Sync, echo, logtank};
use crate::recover::{Manager, recover};

pub(super) const WORKLOAD: Workload = Workload { letter: Letter::D, run, goals };

const NAME: &str = "D";
const STREAM: &str = "bare TCP stream";
const STREAM_FROM_DRIVE: &str = "bare TCP stream, read from the drive";
const STATES: [&str; 4] = ["optimized", "sorted", "unsorted", "live"];
const INDEX: &str = "bench-0";
const BYTES: f64 = 500e6;
/// An index is sorted by itself when it has 30 MiB unsorted.
const SORTED_BYTES_MIN: u64 = 64 << 20;
const PATIENCE: Duration = Duration::from_secs(120);

fn run(runner: &mut Runner<'_>) -> Result<()> {
    if !runner.has(Peer::Logtank(Sync::Interval)) {
        return Ok(());
    }
    let prepared = tempfile::Builder::new().prefix("bench-").tempdir_in(&runner.context.dir)?;
    let bytes = (BYTES * runner.arguments.scale).max(1e6) as u64;
    let shape = Shape { batch: 100, indexes: 1, documents: u64::MAX, ..Shape::default() };
    runner.say(format!("D: preparing an index of {} MB in each state", bytes / 1_000_000));
    prepare(runner, prepared.path(), &shape, bytes / shape.record_bytes as u64)?;
    let stream = prepared.path().join("stream");
    write_stream(&stream, bytes)?;
    runner.rounds(|runner| {
        for (name, direct) in [(STREAM, false), (STREAM_FROM_DRIVE, true)] {
            let rate = receive_stream(runner, &stream, direct)?;
            runner.figure(NAME, name, rate / 1e6, "MB/s");
        }
        for state in STATES {
            if !prepared.path().join(state).exists() {
                runner.note(format!("D had too little data for the state {state}."));
                continue;
            }
            let work = tempfile::Builder::new().prefix("bench-").tempdir_in(&runner.context.dir)?;
            copy(&prepared.path().join(state), work.path())?;
            machine::settle(&[&runner.context.dir])?;
            let (process, ports) = logtank::serve(&runner.context, work.path(), &[], None)?;
            // A page is served by a thread beside the shard, which is on the client's processor; nothing is appended, so
            // the client is better off where the shard idles.
            let recovered =
                Placement::on(&[runner.context.placement.server], || recover(ports.reader, INDEX))?;
            drop(process);
            runner.figure(NAME, state, recovered.bytes_per_second / 1e6, "MB/s");
        }
        Ok(())
    })
}

/// Makes a folder for each state, from the least worked on to the most.
fn prepare(runner: &Runner<'_>, folder: &Path, shape: &Shape, records: u64) -> Result<()> {
    let context = &runner.context;
    let of = |state: &str| folder.join(state);
    std::fs::create_dir(of("live"))?;
    deal::fill(context, &of("live"), shape, records)?;
    copy(&of("live"), &of("unsorted"))?;
    deal::drain(context, &of("unsorted"))?;
    if records * shape.record_bytes as u64 >= SORTED_BYTES_MIN {
        copy(&of("unsorted"), &of("sorted"))?;
        let (process, ports) = logtank::serve(context, &of("sorted"), &[], None)?;
        let is_sorted =
            |info: &IndexLogInfo| info.unsorted_segments.is_empty() && !info.sorted_segments.is_empty();
        Manager::connect(ports.manager)?.await_index(INDEX, PATIENCE, is_sorted)?;
        stop(process)?;
    }
    copy(&of("unsorted"), &of("optimized"))?;
    let (process, ports) = logtank::serve(context, &of("optimized"), &[], None)?;
    let mut manager = Manager::connect(ports.manager)?;
    manager.optimize(INDEX)?;
    let is_optimized =
        |info: &IndexLogInfo| !info.optimized_segments.is_empty() && info.unoptimized_record_count == 0;
    manager.await_index(INDEX, PATIENCE, is_optimized)?;
    stop(process)
}

fn stop(process: Process) -> Result<()> {
    process.stop().map(drop)
}

fn write_stream(path: &Path, bytes: u64) -> Result<()> {
    let mut file = File::create(path)?;
    let piece = vec![b'x'; 1 << 20];
    let mut left = bytes;
    while left > 0 {
        let count = usize::try_from(left).map_or(piece.len(), |left| left.min(piece.len()));
        file.write_all(&piece[..count])?;
        left -= count as u64;
    }
    file.sync_all()
}

/// Bytes a second of a file through a socket.
fn receive_stream(runner: &Runner<'_>, file: &Path, direct: bool) -> Result<f64> {
    let mut buffer = vec![0; 5 << 20];
    if !direct {
        let mut page_cache = File::open(file)?;
        while page_cache.read(&mut buffer)? > 0 {}
    }
    let (_process, address) = echo::stream(&runner.context, file, direct)?;
    Placement::on(&[runner.context.placement.client], || {
        let mut socket = TcpStream::connect(address)?;
        let (began, mut bytes) = (Instant::now(), 0_u64);
        loop {
            let count = socket.read(&mut buffer)?;
            if count == 0 {
                return Ok(bytes as f64 / began.elapsed().as_secs_f64());
            }
            bytes += count as u64;
        }
    })
}

fn goals(judge: &mut Judge<'_>) {
    let [optimized, _, _, live] = STATES.map(|state| judge.figure(NAME, state));
    let stream = judge.figure(NAME, STREAM);
    judge.at_least("D: recovery of an optimized index, of a bare stream".to_owned(), optimized, stream, 0.7);
    judge.at_least("D: recovery of a live index, of an optimized one".to_owned(), live, optimized, 0.5);
}
