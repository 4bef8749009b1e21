//! Many seeds on all processors.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use logtank_sim::mutants::Mutant;

use crate::worker::{Answer, Worker};

/// Between two progress lines.
const PROGRESS_EVERY: Duration = Duration::from_secs(5);

/// What is to be run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Campaign {
    pub(crate) from: u64,
    pub(crate) seeds: u64,
    pub(crate) jobs: usize,
    pub(crate) mutant: Option<Mutant>,
    /// No progress line, no word about failures.
    pub(crate) quiet: bool,
    pub(crate) stop_at_failure: bool,
    /// Set by whoever has seen enough: no further seed is begun.
    pub(crate) interrupted: &'static AtomicBool,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    pub(crate) seeds: u64,
    /// What is wrong, by seed.
    pub(crate) failures: BTreeMap<u64, String>,
    /// What happened how often.
    pub(crate) counts: BTreeMap<String, u64>,
}

impl Campaign {
    /// Runs all of it.
    ///
    /// # Errors
    /// If workers can't be started.
    pub(crate) fn run(&self) -> io::Result<Summary> {
        let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
        let (results, heard) = channel();
        let began = Instant::now();
        let mut summary = Summary::default();
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..self.jobs.max(1))
                .map(|_| {
                    let (results, next, stop) = (results.clone(), &next, &stop);
                    scope.spawn(move || self.work(next, stop, &results))
                })
                .collect();
            drop(results);
            let mut told = began;
            loop {
                match heard.recv_timeout(PROGRESS_EVERY) {
                    Ok((seed, answer)) => {
                        self.take(&mut summary, seed, answer);
                        if self.stop_at_failure && !summary.failures.is_empty() {
                            stop.store(true, Ordering::Relaxed);
                        }
                    }
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => break,
                }
                if !self.quiet && told.elapsed() >= PROGRESS_EVERY {
                    told = Instant::now();
                    let seconds = began.elapsed().as_secs();
                    let crashes: u64 =
                        ["kills", "power cuts"].iter().filter_map(|what| summary.counts.get(*what)).sum();
                    eprintln!(
                        "{} seeds in {seconds} s, {crashes} crashes, {} failed",
                        summary.seeds,
                        summary.failures.len()
                    );
                }
            }
            for worker in workers {
                worker.join().map_err(|_| io::Error::other("a thread panicked"))??;
            }
            Ok(summary)
        })
    }

    fn take(&self, summary: &mut Summary, seed: u64, answer: Option<Answer>) {
        summary.seeds += 1;
        let failure = match answer {
            Some(answer) => {
                for (what, count) in answer.counts {
                    *summary.counts.entry(what).or_default() += count;
                }
                answer.failure
            }
            None => Some("the process ended: an assertion failed, or the seed had no end".to_owned()),
        };
        let Some(what) = failure else { return };
        if !self.quiet {
            println!("seed {seed} FAILED: {what}");
            println!("  replay it with: logtank-sim --seed {seed} --trace");
        }
        summary.failures.insert(seed, what);
    }

    fn work(
        &self,
        next: &AtomicU64,
        stop: &AtomicBool,
        results: &Sender<(u64, Option<Answer>)>,
    ) -> io::Result<()> {
        let mut worker = Worker::start(self.mutant)?;
        while !stop.load(Ordering::Relaxed) && !self.interrupted.load(Ordering::Relaxed) {
            let place = next.fetch_add(1, Ordering::Relaxed);
            if place >= self.seeds {
                break;
            }
            let seed = self.from + place;
            let answer = worker.run(seed);
            if answer.is_none() {
                worker = Worker::start(self.mutant)?;
            }
            if results.send((seed, answer)).is_err() {
                break;
            }
        }
        Ok(())
    }
}
