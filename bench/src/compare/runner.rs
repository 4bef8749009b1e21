//! Runs one load against one freshly started peer.

use std::io::Result;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::arguments::Arguments;
use super::results::{CLOSED, Cell, Figure, Results, ServerUse, open};
use crate::load::{self, Edge, Load, Measured, Shape};
use crate::machine::{self, Placement, STOLEN_MOST, Ticks, Usage};
use crate::peers::{Context, Peer, Process, Server};

/// What runs of a comparison have in common.
pub(super) struct Runner<'a> {
    pub(super) arguments: &'a Arguments,
    pub(super) context: Context,
    pub(super) results: Results,
    progress: ProgressBar,
    round: usize,
    disturbed: usize,
}

/// A run to be made.
#[derive(Clone, Debug)]
pub(super) struct Run<'r> {
    pub(super) workload: &'r str,
    pub(super) peer: Peer,
    /// What it is called in place of the peer's name.
    pub(super) label: Option<&'r str>,
    pub(super) connections: usize,
    pub(super) shape: &'r Shape,
    /// Records a second and whose half that is; closed loop without.
    pub(super) rate: Option<(f64, &'r str)>,
    pub(super) seconds: f64,
    /// How it went over time is kept, for a chart.
    pub(super) timeline: bool,
}

impl<'r> Run<'r> {
    /// In closed loop, under the peer's own name.
    pub(super) const fn closed(
        workload: &'r str,
        peer: Peer,
        connections: usize,
        shape: &'r Shape,
        seconds: f64,
    ) -> Self {
        Self { workload, peer, label: None, connections, shape, rate: None, seconds, timeline: false }
    }
}

/// A run that is disturbed so often stands as it is.
const TRIES_MOST: usize = 4;

/// The order of a round.
fn rotated<T: Copy>(all: &[T], round: usize) -> impl Iterator<Item = T> {
    all.iter().copied().cycle().skip(round % all.len().max(1)).take(all.len())
}

impl<'a> Runner<'a> {
    pub(super) fn new(arguments: &'a Arguments, context: Context, results: Results) -> Self {
        let progress = ProgressBar::new_spinner();
        progress.set_style(ProgressStyle::with_template("{spinner} {msg}").expect("the template is valid"));
        Self { arguments, context, results, progress, round: 0, disturbed: 0 }
    }

    /// Runs `round` as often as asked for.
    pub(super) fn rounds(&mut self, mut round: impl FnMut(&mut Self) -> Result<()>) -> Result<()> {
        for number in 0..self.arguments.rounds {
            self.round = number;
            round(self)?;
        }
        Ok(())
    }

    /// Whether a peer is asked for and there; if it is not, that is noted once.
    pub(super) fn has(&mut self, peer: Peer) -> bool {
        if !self.arguments.peers.iter().any(|family| peer.is_of(family)) {
            return false;
        }
        let known = self.results.machine.peers.iter().any(|(name, _)| name == peer.name());
        if known {
            return true;
        }
        if let Some(text) = peer.describe(&self.context) {
            self.results.machine.peers.push((peer.name().to_owned(), text));
            return true;
        }
        self.note(format!("{} was left out: not installed here, or without such a setting", peer.name()));
        false
    }

    /// Of the connections that a workload has, those asked for.
    pub(super) fn connections(&self, all: &[usize]) -> Vec<usize> {
        let wanted = &self.arguments.connections;
        all.iter().copied().filter(|count| wanted.is_empty() || wanted.contains(count)).collect()
    }

    pub(super) fn note(&mut self, note: String) {
        if !self.results.notes.contains(&note) {
            self.results.notes.push(note);
        }
    }

    /// On a terminal in place, else a line each.
    pub(super) fn say(&self, message: String) {
        if self.progress.is_hidden() {
            eprintln!("{message}");
        } else {
            self.progress.set_message(message);
            self.progress.tick();
        }
    }

    pub(super) fn figure(&mut self, workload: &str, name: &str, value: f64, unit: &str) {
        let (workload, name, unit) = (workload.to_owned(), name.to_owned(), unit.to_owned());
        self.say(format!("{workload} round {}: {name}: {value:.3} {unit}", self.round + 1));
        self.results.figures.push(Figure { workload, name, round: self.round, value, unit });
    }

    /// The same run for each of these peers that is asked for and there; each round begins with another one, as what
    /// comes first finds another machine than what comes last.
    pub(super) fn run_each(&mut self, peers: &[Peer], run: &Run<'_>) -> Result<()> {
        let there: Vec<Peer> = peers.iter().copied().filter(|peer| self.has(*peer)).collect();
        for peer in rotated(&there, self.round) {
            self.run(&Run { peer, ..run.clone() })?;
        }
        Ok(())
    }

    /// Starts the peer, loads it, and adds what was measured to the results. What a hypervisor disturbed is done again, a few
    /// times at most.
    pub(super) fn run(&mut self, run: &Run<'_>) -> Result<&Cell> {
        let protocol = run.peer.protocol();
        let mut generator = load::Generator::new(run.shape, "run");
        let batch: Vec<_> = (0..run.shape.batch).map(|_| generator.next(0).1).collect();
        let request_bytes = protocol.request(0, &batch).len();
        let mut tries = 0;
        loop {
            if !self.arguments.is_trial() && !machine::settle(&[&self.context.dir])? {
                self.note("The drive did not come to rest before some runs: others wrote to it.".to_owned());
            }
            let server = run.peer.start(&self.context, run.connections, request_bytes)?;
            tries += 1;
            let (measured, used, stolen) = match self.observe(run, &server) {
                Ok(observed) => observed,
                // An hour's comparison does not end for one stall; that there was one is told.
                Err(error) if tries < TRIES_MOST => {
                    self.note(format!("A run of {} failed and was made again: {error}.", run.peer.name()));
                    continue;
                }
                Err(error) => return Err(error),
            };
            if stolen <= STOLEN_MOST || tries == TRIES_MOST || self.arguments.is_trial() {
                return Ok(self.add(run, measured, used, stolen));
            }
            self.say(format!(
                "{} lost {:.0} % of the processors to the hypervisor: again",
                run.peer.name(),
                stolen * 100.0
            ));
        }
    }

    /// Loads a running server.
    pub(super) fn load(&mut self, run: &Run<'_>, server: &Server) -> Result<&Cell> {
        let (measured, used, stolen) = self.observe(run, server)?;
        Ok(self.add(run, measured, used, stolen))
    }

    fn observe(&mut self, run: &Run<'_>, server: &Server) -> Result<(Measured, ServerUse, f64)> {
        if !self.arguments.is_trial() && !machine::await_processors(&self.context.placement)? {
            self.note(
                "The hypervisor took processor time before some runs, for longer than was waited.".to_owned(),
            );
        }
        let load = self.plan(run, server);
        let before = Ticks::now()?;
        let (measured, used) = observed(&load, &self.context.placement, &server.process)?;
        let stolen = Ticks::now()?.stolen_since(before);
        if stolen > STOLEN_MOST {
            self.disturbed += 1;
        }
        Ok((measured, used, stolen))
    }

    /// Says how many runs a hypervisor disturbed.
    pub(super) fn note_disturbed(&mut self) {
        let kept = self.results.cells.iter().filter(|cell| cell.stolen > STOLEN_MOST).count();
        if self.disturbed > 0 {
            self.results.notes.push(format!(
                "The hypervisor took more than {:.0} % of the processors during {} runs; {kept} of them are in the results, \
                 for want of better ones.",
                STOLEN_MOST * 100.0,
                self.disturbed
            ));
        }
    }

    fn plan(&self, run: &Run<'_>, server: &Server) -> Load {
        let mut load = Load::new(server.addr, run.peer.protocol(), run.connections, run.shape);
        load.rate = run.rate.map(|(rate, _)| rate);
        load.duration = Duration::from_secs_f64(run.seconds);
        load.warm_up = Duration::from_secs_f64((run.seconds / 4.0).clamp(0.05, 1.0));
        load
    }

    fn add(&mut self, run: &Run<'_>, mut measured: Measured, server: ServerUse, stolen: f64) -> &Cell {
        // A chart shows one run over time; those of all others would be most of what is written.
        if !run.timeline {
            measured.timeline.clear();
        }
        let mode = run.rate.map_or_else(|| CLOSED.to_owned(), |(_, name)| open(name));
        self.say(format!(
            "{} round {}: {} × {} {mode}: {}: {}",
            run.workload,
            self.round + 1,
            run.connections,
            run.shape.batch,
            run.label.unwrap_or(run.peer.name()),
            measured.line()
        ));
        self.results.cells.push(Cell {
            workload: run.workload.to_owned(),
            peer: run.label.unwrap_or(run.peer.name()).to_owned(),
            round: self.round,
            mode,
            measured,
            server,
            stolen,
        });
        self.results.cells.last().expect("just added")
    }

    /// A value of the run of this round, if it was made.
    pub(super) fn this_round(
        &self,
        workload: &str,
        peer: Peer,
        connections: usize,
        mode: &str,
    ) -> Option<&Cell> {
        self.results.cells.iter().rev().find(|cell| {
            cell.workload == workload
                && cell.round == self.round
                && cell.peer == peer.name()
                && cell.mode == mode
                && cell.measured.connections == connections
        })
    }
}

/// Runs a load on the client's processor and looks what the server's process uses meanwhile.
///
/// # Errors
/// If a connection can't be opened, or all of them broke.
pub(crate) fn observed(
    load: &Load,
    placement: &Placement,
    process: &Process,
) -> Result<(Measured, ServerUse)> {
    let (mut before, mut after) = (Usage::default(), Usage::default());
    let measured = Placement::on(&[placement.client], || {
        let mut edge = |edge| {
            let usage = machine::of_process(process.pid()).unwrap_or_default();
            match edge {
                Edge::Begin => before = usage,
                Edge::End => after = usage,
            }
        };
        load::measure(load, "run", None, load::Live::silent(), &mut edge).map(|(measured, _)| measured)
    })?;
    let per_record = |time: Duration| time.as_secs_f64() * 1e6 / measured.records.max(1) as f64;
    let total = after.total().saturating_sub(before.total());
    let shards = after.of("shard").saturating_sub(before.of("shard"));
    let used = ServerUse {
        processor_us_per_record: per_record(total),
        serving_us_per_record: per_record(if shards.is_zero() { total } else { shards }),
        resident_bytes: after.resident_bytes,
        peak_resident_bytes: after.peak_resident_bytes,
        syncs_at_s: Vec::new(),
    };
    Ok((measured, used))
}

#[cfg(test)]
mod tests {
    use super::rotated;

    #[test]
    fn each_round_has_all_and_begins_with_another_one() {
        let order = |round| rotated(&['a', 'b', 'c'], round).collect::<String>();
        assert_eq!([0, 1, 2, 3].map(order), ["abc", "bca", "cab", "abc"]);
        assert_eq!(rotated::<char>(&[], 1).count(), 0);
    }
}
