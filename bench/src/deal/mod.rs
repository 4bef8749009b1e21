//! `logtank-bench deal`: how fast a raw log is split by index.
//!
//! A host that only writes is filled with records of as many indexes as asked for, and stopped; then `logtank drain` deals
//! them, alone on the machine, without the governor that gives way to appends.

mod floor;

use std::io::{Error, Result};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::load::{self, Load, Shape};
use crate::machine::{self, Placement};
use crate::output;
use crate::peers::{Context, logtank};
use crate::protocol::Protocol;

/// Measures how fast a host deals records of many indexes.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Arguments {
    /// Numbers of indexes, each measured on its own.
    #[arg(long, value_delimiter = ',', default_value = "1,1000,100000")]
    indexes: Vec<usize>,
    /// Records to deal, at least one an index.
    #[arg(long, default_value_t = 500_000)]
    records: u64,
    /// Bytes of a record.
    #[arg(long, default_value_t = 1024)]
    record_bytes: usize,
    /// A folder on the drive to be measured.
    #[arg(long, default_value = ".")]
    dir: PathBuf,
    /// The host's program; by default the one beside this.
    #[arg(long)]
    logtank: Option<PathBuf>,
    /// Writes the results there as JSON (`-`: to standard output).
    #[arg(long)]
    json: Option<PathBuf>,
}

/// What dealing measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Dealt {
    pub(crate) indexes: usize,
    pub(crate) records: u64,
    /// From the start of the process to its end.
    pub(crate) seconds: f64,
    pub(crate) records_per_second: f64,
    pub(crate) processor_seconds: f64,
    pub(crate) peak_resident_bytes: u64,
    /// Rate at which the same folders and files are made with nothing else to do.
    pub(crate) floor_records_per_second: f64,
}

/// Measures every number of indexes asked for, and reports.
///
/// # Errors
/// As [`measure`].
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let context = Context {
        measuring: None,
        dir: arguments.dir.canonicalize()?,
        logtank: logtank::find(arguments.logtank.as_deref())?,
        placement: Placement::choose()?,
        host_arguments: Vec::new(),
    };
    let mut results = Vec::new();
    let kept = folder(&context)?;
    for &indexes in &arguments.indexes {
        let dealt = measure(&context, kept.path(), indexes, arguments.records, arguments.record_bytes)?;
        println!(
            "{} records of {} indexes dealt in {:.2} s: {:.0} records/s, {:.2} s of processor time, at most {:.0} MiB; files alone {:.0} records/s",
            dealt.records,
            dealt.indexes,
            dealt.seconds,
            dealt.records_per_second,
            dealt.processor_seconds,
            dealt.peak_resident_bytes as f64 / f64::from(1 << 20),
            dealt.floor_records_per_second
        );
        results.push(dealt);
    }
    output::json(arguments.json.as_deref(), &results)
}

/// A folder for what is dealt, whose files are kept, empty, until all is measured: in the minutes after a hundred thousand folders were
/// removed, ext4 makes new ones many times slower (it doesn't use their inodes again, and looks at each of them).
///
/// # Errors
/// If it can't be made.
pub(crate) fn folder(context: &Context) -> Result<TempDir> {
    tempfile::Builder::new().prefix("bench-").tempdir_in(&context.dir)
}

/// Fills a new host in a folder of `kept` and deals what it has.
///
/// # Errors
/// If the host can't be started, filled or drained.
pub(crate) fn measure(
    context: &Context,
    kept: &Path,
    indexes: usize,
    records: u64,
    record_bytes: usize,
) -> Result<Dealt> {
    let folder = tempfile::Builder::new().prefix("host-").tempdir_in(kept)?.keep();
    let records = records.max(indexes as u64);
    let shape = Shape { batch: 100, indexes, record_bytes, ..Shape::default() };
    fill(context, &folder, &shape, records)?;
    machine::settle(&[&context.dir])?;
    let dealt = drain(context, &folder)?;
    machine::settle(&[&context.dir])?;
    let floor = floor::make_again(&folder.join("indexes"), &folder.join("again"))?.as_secs_f64();
    floor::empty(&folder)?;
    let rate = |seconds: f64| records as f64 / seconds;
    let (records_per_second, floor_records_per_second) = (rate(dealt.seconds), rate(floor));
    Ok(Dealt { indexes, records, records_per_second, floor_records_per_second, ..dealt })
}

/// Sends so many records, each another, to a host that only writes, and stops it.
///
/// # Errors
/// If it can't be started, or refuses.
pub(crate) fn fill(context: &Context, folder: &Path, shape: &Shape, records: u64) -> Result<()> {
    let arguments = ["--role", "writer", "--shards", "1"].map(str::to_owned);
    let (process, ports) = logtank::serve(context, folder, &arguments, None)?;
    let mut load = Load::new(ports.writer, Protocol::Thrift, 16, shape);
    load.fresh = true;
    load.warm_up = Duration::ZERO;
    load.duration = Duration::from_secs(3600);
    load.records_max = Some(records);
    let (measured, _) = load::measure(&load, "run", None, load::Live::silent(), &mut |_| {})?;
    if measured.refused + measured.broken > 0 {
        return Err(Error::other("the host did not take all records: see its log"));
    }
    let status = process.stop()?;
    if status.success() { Ok(()) } else { Err(Error::other(format!("the host ended with {status}"))) }
}

/// Deals everything in a stopped host's folder.
///
/// # Errors
/// If it can't be dealt.
pub(crate) fn drain(context: &Context, folder: &Path) -> Result<Dealt> {
    let mut command = logtank::drain(context, folder);
    command.stdin(std::process::Stdio::null()).stderr(std::process::Stdio::piped());
    let began = Instant::now();
    let child = Placement::on(&context.placement.all, || command.spawn())?;
    let pid = child.id();
    let (over, is_over) = std::sync::mpsc::channel();
    let watch = std::thread::spawn(move || {
        let mut last = machine::Usage::default();
        // The kernel tells only when asked, and forgets when the process ends.
        loop {
            if let Ok(usage) = machine::of_process(pid)
                && usage.peak_resident_bytes > 0
            {
                last = usage;
            }
            if is_over.recv_timeout(Duration::from_millis(20))
                != Err(std::sync::mpsc::RecvTimeoutError::Timeout)
            {
                return last;
            }
        }
    });
    let output = child.wait_with_output()?;
    let seconds = began.elapsed().as_secs_f64();
    // It fails only if the thread has ended, and joining tells of that.
    let _ = over.send(());
    let usage = watch.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    if !output.status.success() {
        return Err(Error::other(format!("dealing failed: {}", String::from_utf8_lossy(&output.stderr))));
    }
    Ok(Dealt {
        indexes: 0,
        records: 0,
        seconds,
        records_per_second: 0.0,
        processor_seconds: usage.total().as_secs_f64(),
        peak_resident_bytes: usage.peak_resident_bytes,
        floor_records_per_second: 0.0,
    })
}
