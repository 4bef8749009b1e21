//! E: dealing with few and with many indexes, beside the rate at which records come in.

use std::io::Result;

use super::runner::{Run, Runner};
use crate::deal;
use crate::load::Shape;
use crate::peers::{Peer, Sync};

pub(super) const NAME: &str = "E";
pub(super) const INDEXES: [usize; 3] = [1, 1_000, 100_000];
/// Connections that the rate of taking in is measured with.
pub(super) const CONNECTIONS: usize = 64;
pub(super) const HOST: Peer = Peer::Logtank(Sync::Interval);
const RECORDS: f64 = 500_000.0;

/// The name of a rate.
pub(super) fn rate(indexes: usize) -> String {
    format!("dealing, {indexes} indexes")
}

/// The name of a peak of memory.
pub(super) fn memory(indexes: usize) -> String {
    format!("memory of dealing, {indexes} indexes")
}

pub(super) fn run(runner: &mut Runner<'_>) -> Result<()> {
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
