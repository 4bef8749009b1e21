//! E: dealing with few and with many indexes, beside the rate at which records come in.

use std::io::Result;

use super::arguments::Letter;
use super::goals::{Judge, RATE};
use super::results::CLOSED;
use super::runner::{Run, Runner};
use super::workload::Workload;
use crate::deal;
use crate::load::Shape;
use crate::peers::{Peer, Sync};

pub(super) const WORKLOAD: Workload = Workload { letter: Letter::E, run, goals };

const NAME: &str = "E";
const INDEXES: [usize; 3] = [1, 1_000, 100_000];
/// Connections that the rate of taking in is measured with.
const CONNECTIONS: usize = 64;
const HOST: Peer = Peer::Logtank(Sync::Interval);
const RECORDS: f64 = 500_000.0;

/// The name of a rate.
fn rate(indexes: usize) -> String {
    format!("dealing, {indexes} indexes")
}

/// The name of a peak of memory.
fn memory(indexes: usize) -> String {
    format!("memory of dealing, {indexes} indexes")
}

fn run(runner: &mut Runner<'_>) -> Result<()> {
    if !runner.has(HOST) {
        return Ok(());
    }
    let (shape, seconds, scale) = (Shape::default(), runner.arguments.seconds, runner.arguments.scale);
    let kept = deal::folder(&runner.context)?;
    runner.rounds(|runner| {
        let run = Run::closed(NAME, HOST, CONNECTIONS, &shape, seconds);
        runner.run(&run)?;
        for indexes in INDEXES {
            // Fewer records would leave some of the indexes without.
            let count = ((indexes as f64 * scale) as usize).max(1);
            let records = (RECORDS * scale).max(count as f64) as u64;
            let dealt = deal::measure(&runner.context, kept.path(), count, records, shape.record_bytes)?;
            runner.figure(NAME, &rate(indexes), dealt.records_per_second, "records/s");
            let floor = format!("making the files of {indexes} indexes, and nothing else");
            runner.figure(NAME, &floor, dealt.floor_records_per_second, "records/s");
            let peak = dealt.peak_resident_bytes as f64 / f64::from(1 << 20);
            runner.figure(NAME, &memory(indexes), peak, "MiB");
        }
        Ok(())
    })
}

fn goals(judge: &mut Judge<'_>) {
    let [one, thousand, most] = INDEXES.map(|indexes| judge.figure(NAME, &rate(indexes)));
    let intake = judge.median(NAME, HOST, CONNECTIONS, CLOSED, RATE);
    for (indexes, dealt) in [(INDEXES[0], one), (INDEXES[1], thousand)] {
        let name = format!("E: dealing of {indexes} indexes, of the rate of taking in at 64 connections");
        judge.at_least(name, dealt, intake, 1.0);
    }
    let name = format!("E: dealing of {} indexes, of that of {}", INDEXES[2], INDEXES[1]);
    judge.at_least(name, most, thousand, 0.2);
    for indexes in INDEXES {
        let name = format!("E: memory of dealing {indexes} indexes, of 512 MiB");
        judge.at_most(name, judge.figure(NAME, &memory(indexes)), Some(512.0), 1.0);
    }
}
