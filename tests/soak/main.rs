//! Hours of mixed load on a real host, with kills: does anything grow?
//!
//! ```text
//! cargo run --release -p logtank-tests --bin soak -- --minutes 60 --plot docs/soak.svg > soak.jsonl
//! ```
//!
//! `--samples soak.jsonl` draws and sums up an earlier run, also one that was cut off.
//!
//! In cycles of a few minutes: load with recoveries and optimizations beside it, `kill -9` in the middle, the state of
//! every index checked, every index deleted. Each sample is a line of JSON on standard output, the last line says how
//! much the last third of the samples is above the second; exit 1 if something grew.

mod arguments;
mod cycle;
mod plot;
mod sample;
mod summary;

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use arguments::Arguments;
use cycle::Cycle;
use logtank_tests::host::Host;
use sample::Sample;

const SAMPLE_EVERY: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(why) => {
            eprintln!(
                "{why}\nusage: soak [--minutes N] [--cycle-seconds N] [--data DIR] [--plot FILE.svg] [--samples FILE]"
            );
            return ExitCode::from(2);
        }
    };
    if let Some(path) = &arguments.samples {
        let text = std::fs::read_to_string(path).expect("the samples are there");
        let samples: Vec<_> = text.lines().filter_map(Sample::from_json).collect();
        let ran = Duration::from_secs_f64(samples.last().map_or(0.0, |sample| sample.seconds));
        return conclude(&samples, &arguments, None, ran);
    }
    let temporary = tempfile::tempdir().expect("a folder for temporary files");
    let data = arguments.data.clone().unwrap_or_else(|| temporary.path().join("data"));
    let mut host = Host::started(
        &data,
        &[
            "--shards",
            "1",
            "--epoch-max-age",
            "5s",
            "--history-max-bytes",
            "256MiB",
            "--unread-before-clean",
            "10s",
            "--idle-timeout",
            "60s",
        ],
    );
    let (begin, samples) = (Instant::now(), Mutex::new(Vec::new()));
    let metrics = host.metrics();
    let (kills, records) = std::thread::scope(|scope| {
        let (stop, stopped) = channel::<()>();
        let watched = (&samples, &data);
        scope.spawn(move || {
            while stopped.recv_timeout(SAMPLE_EVERY) == Err(RecvTimeoutError::Timeout) {
                // While it is killed there is nothing to see.
                if let Some(sample) = Sample::take(begin, metrics, watched.1) {
                    println!("{}", sample.json());
                    watched.0.lock().expect("samples").push(sample);
                }
            }
        });
        let (mut kills, mut records) = (0, 0);
        for number in 0.. {
            if begin.elapsed() >= arguments.run_for {
                break;
            }
            records += Cycle { number, length: arguments.cycle }.run(&mut host);
            kills += 1;
        }
        drop(stop);
        (kills, records)
    });
    host.stop();
    let samples = samples.into_inner().expect("samples");
    conclude(&samples, &arguments, Some((kills, records)), begin.elapsed())
}

/// Draws the samples and sums them up; the exit code says whether anything grew.
fn conclude(
    samples: &[Sample],
    arguments: &Arguments,
    kills_and_records: Option<(u32, u64)>,
    ran: Duration,
) -> ExitCode {
    if let Some(path) = &arguments.plot {
        std::fs::write(path, plot::svg(samples)).expect("the plot is written");
    }
    let summary = summary::Summary::new(samples);
    println!("{}", summary.json(kills_and_records, ran));
    if summary.is_flat() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
