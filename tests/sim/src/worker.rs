//! A process that runs the seeds that it is told on standard input: a seed that brings it down is no more than a seed
//! that failed.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use logtank_sim::mutants::Mutant;
use logtank_sim::run::{Options, run};

/// A seed takes a fraction of a second.
const SECONDS_MAX: u32 = 120;

/// Answers each seed by a line: hash, what failed (or nothing), and counts, between tabs.
///
/// # Errors
/// Of standard input and output.
pub(crate) fn serve(mutant: Option<Mutant>) -> io::Result<()> {
    let mut output = io::stdout().lock();
    let begun = Arc::new(AtomicU64::new(0));
    std::thread::spawn({
        let begun = begun.clone();
        move || watch(&begun)
    });
    for line in io::stdin().lock().lines() {
        let seed = line?.trim().parse().map_err(|_| io::Error::other("not a seed"))?;
        begun.fetch_add(1, Ordering::Relaxed);
        let outcome = run(seed, Options { trace: false, mutant });
        let failure = outcome.failure.unwrap_or_default().replace(['\t', '\n'], " ");
        write!(output, "{:016x}\t{failure}", outcome.hash)?;
        for (what, count) in outcome.counts {
            write!(output, "\t{count} {what}")?;
        }
        writeln!(output)?;
        output.flush()?;
    }
    Ok(())
}

/// Ends the process when a seed has no end. Counts its own seconds, so that a process that is stopped for a while does not
/// count as one that is stuck.
fn watch(begun: &AtomicU64) {
    let (mut seed, mut seconds) = (0, 0);
    while seconds < SECONDS_MAX {
        std::thread::sleep(Duration::from_secs(1));
        let now = begun.load(Ordering::Relaxed);
        seconds = if now == seed { seconds + 1 } else { 0 };
        // Between two seeds it waits to be told; that is soon, or never.
        seed = now;
    }
    std::process::exit(1);
}

/// What a worker says of a seed.
pub(crate) struct Answer {
    pub(crate) failure: Option<String>,
    pub(crate) counts: BTreeMap<String, u64>,
}

/// Another process like this one.
pub(crate) struct Worker {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Worker {
    /// Starts one.
    ///
    /// # Errors
    /// If it can't be.
    pub(crate) fn start(mutant: Option<Mutant>) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--worker");
        if let Some(mutant) = mutant {
            command.args(["--mutant", &mutant.name()]);
        }
        // Whoever stops this process by Ctrl-C does not mean the seeds that are being run.
        command.process_group(0);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let input = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let output = BufReader::new(child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?);
        Ok(Self { child, input, output })
    }

    /// Has it run a seed; `None` if it died over it.
    pub(crate) fn run(&mut self, seed: u64) -> Option<Answer> {
        writeln!(self.input, "{seed}").ok()?;
        let mut line = String::new();
        self.output.read_line(&mut line).ok()?;
        let mut words = line.trim_end_matches('\n').split('\t');
        words.next().filter(|hash| !hash.is_empty())?;
        let failure = words.next().filter(|text| !text.is_empty()).map(str::to_owned);
        let count = |word: &str| {
            let (count, what) = word.split_once(' ')?;
            Some((what.to_owned(), count.parse().ok()?))
        };
        Some(Answer { failure, counts: words.filter_map(count).collect() })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It waits for the next seed, or is dead already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
