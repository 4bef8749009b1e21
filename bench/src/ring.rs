//! `logtank-bench ring`: a shard's own loop against a bare echo on the same ring, closed loop, the client on another processor.

use std::io::{Error, Result};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::compare::observed;
use crate::load::{Generator, Load, Shape};
use crate::machine::Placement;
use crate::peers::{echo, shard};
use crate::protocol::Protocol;
use crate::shard::Kind;

const WARM_UP: Duration = Duration::from_millis(300);

/// What is measured.
#[derive(Clone, Debug)]
enum What {
    Echo,
    Shard(Kind),
}

impl FromStr for What {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        if text == "echo" { Ok(Self::Echo) } else { text.parse().map(Self::Shard) }
    }
}

impl What {
    fn as_str(&self) -> &str {
        match self {
            Self::Echo => "echo",
            Self::Shard(kind) => kind.as_str(),
        }
    }
}

/// Measures a shard's own loop against a bare echo on the same ring.
///
/// Kinds are run in turn in each round, so that what disturbs the machine disturbs all alike: `echo`, or how a shard
/// writes: `buffered` or `direct`, then `-inline` or `-ring`, then `-interval`, `-always` or `-never`. After that what the
/// host doesn't do: `-hoarded` leaves write-out to the kernel, `-unwritten` takes new files without blocks in place of
/// recycled ones, `-single` writes a frame for each batch, `-spin` polls 100 µs before sleeping, and a number is how many
/// writes may be in flight.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Arguments {
    /// What is measured; all are compared with the first.
    #[arg(default_values = ["echo", "buffered-inline-interval", "buffered-ring-interval", "direct-ring-interval"])]
    kinds: Vec<What>,
    /// A folder on the drive to be measured.
    #[arg(long, default_value = ".")]
    dir: PathBuf,
    /// Connections, each with one request under way.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Records of a request.
    #[arg(long, default_value_t = 1)]
    records: usize,
    /// Bytes of a record.
    #[arg(long, default_value_t = 1024)]
    record_bytes: usize,
    /// How long each run is measured.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// How often each kind is run.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
}

/// One run.
#[derive(Clone, Copy, Debug)]
struct Run {
    records_per_second: f64,
    processor_us_per_request: f64,
    p50_us: f64,
    p99_us: f64,
}

/// Measures every kind in every round, and prints medians.
///
/// # Errors
/// If a server can't be started or stops working.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if arguments.rounds == 0 || arguments.seconds.is_nan() || arguments.seconds <= 0.0 {
        return Err(Error::other("--rounds and --seconds must be more than 0"));
    }
    let placement = Placement::choose()?;
    let mut runs = vec![Vec::new(); arguments.kinds.len()];
    for round in 0..arguments.rounds {
        for (kind, runs) in arguments.kinds.iter().zip(&mut runs) {
            let run = measure(arguments, &placement, kind)?;
            println!(
                "round {round} {:32} {:9.0} records/s  {:6.2} µs/request  p50 {:.0} µs  p99 {:.0} µs",
                kind.as_str(),
                run.records_per_second,
                run.processor_us_per_request,
                run.p50_us,
                run.p99_us
            );
            runs.push(run);
        }
    }
    let Arguments { connections, records, record_bytes, rounds, .. } = arguments;
    println!(
        "\n{connections} connections x {records} records x {record_bytes} bytes, medians of {rounds} rounds"
    );
    let mut first = None;
    for (kind, runs) in arguments.kinds.iter().zip(&runs) {
        let sorted = |value: fn(&Run) -> f64| {
            let mut values: Vec<f64> = runs.iter().map(value).collect();
            values.sort_by(f64::total_cmp);
            values
        };
        let median = |value| sorted(value)[rounds / 2];
        let rates = sorted(|run| run.records_per_second);
        let (rate, cost) = (rates[rounds / 2], median(|run| run.processor_us_per_request));
        let (first_rate, first_cost) = *first.get_or_insert((rate, cost));
        println!(
            "{:32} {rate:9.0} records/s ({:.0} to {:.0}) {:5.1} %  p50 {:.0} µs  p99 {:.0} µs  processor {cost:6.2} µs/request {:5.1} %",
            kind.as_str(),
            rates[0],
            rates[rounds - 1],
            100.0 * rate / first_rate,
            median(|run| run.p50_us),
            median(|run| run.p99_us),
            100.0 * cost / first_cost
        );
    }
    Ok(())
}

fn measure(arguments: &Arguments, placement: &Placement, kind: &What) -> Result<Run> {
    let Arguments { connections, records: batch, record_bytes, .. } = *arguments;
    let shape = Shape { batch, record_bytes, ..Shape::default() };
    shape.check()?;
    let folder = tempfile::Builder::new().prefix("bench-").tempdir_in(&arguments.dir)?;
    let (process, addr) = match kind {
        What::Echo => {
            let mut generator = Generator::new(&shape, "run");
            let records: Vec<_> = (0..batch).map(|_| generator.next(0).1).collect();
            let request_bytes = Protocol::Echo.request(0, &records).len();
            echo::uring(placement, connections, request_bytes)?
        }
        What::Shard(kind) => shard::start(placement, folder.path(), kind)?,
    };
    let protocol = if matches!(kind, What::Echo) { Protocol::Echo } else { Protocol::Thrift };
    let mut load = Load::new(addr, protocol, connections, &shape);
    (load.duration, load.warm_up) = (Duration::from_secs_f64(arguments.seconds), WARM_UP);
    let (measured, used) = observed(&load, placement, &process)?;
    drop(process);
    if measured.refused + measured.broken > 0 {
        return Err(Error::other(format!("{} did not take all requests", kind.as_str())));
    }
    Ok(Run {
        records_per_second: measured.records_per_second,
        processor_us_per_request: used.serving_us_per_record * batch as f64,
        p50_us: measured.latency_us.p50,
        p99_us: measured.latency_us.p99,
    })
}
