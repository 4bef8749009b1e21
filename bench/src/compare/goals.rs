//! The goals, judged by medians over the rounds. What was not measured has no entry.

use super::results::{Cell, Goal, Results, Spread, Which};
use super::runner::{CLOSED, open};
use super::{workload_a, workload_b, workload_c, workload_d, workload_e, workload_f, workload_g};
use crate::peers::{Peer, Without};

/// Judges everything that was measured.
pub(super) fn judge(results: &Results) -> Vec<Goal> {
    let mut judge = Judge { results, goals: Vec::new() };
    judge.workload_a();
    judge.workload_b();
    judge.workload_c();
    judge.workload_d();
    judge.workload_e();
    judge.workload_f();
    judge.workload_g();
    judge.goals
}

struct Judge<'r> {
    results: &'r Results,
    goals: Vec<Goal>,
}

type Value = fn(&Cell) -> f64;

const RATE: Value = |cell| cell.measured.records_per_second;
const BYTES: Value = |cell| cell.measured.bytes_per_second / 1e6;
const COST: Value = |cell| cell.server.processor_us_per_record;
const P50: Value = |cell| cell.measured.latency_us.p50;
const P999: Value = |cell| cell.measured.latency_us.p999;

impl Judge<'_> {
    fn median(
        &self,
        workload: &str,
        peer: Peer,
        connections: usize,
        mode: &str,
        value: Value,
    ) -> Option<f64> {
        let which = Which { workload, peer: peer.name(), connections, mode };
        self.results.spread(which, value).map(|spread: Spread| spread.median)
    }

    /// The better of the two echoes, by what `better` says.
    fn echo(&self, connections: usize, mode: &str, value: Value, better: fn(f64, f64) -> f64) -> Option<f64> {
        let each = workload_a::ECHOES.into_iter();
        each.filter_map(|echo| self.median(workload_a::NAME, echo, connections, mode, value)).reduce(better)
    }

    fn at_least(&mut self, name: String, value: Option<f64>, than: Option<f64>, goal: f64) {
        if let (Some(value), Some(than)) = (value, than) {
            let value = value / than;
            self.goals.push(Goal { name, value, goal: format!("≥ {goal}"), met: value >= goal });
        }
    }

    fn at_most(&mut self, name: String, value: Option<f64>, than: Option<f64>, goal: f64) {
        if let (Some(value), Some(than)) = (value, than) {
            let value = value / than;
            self.goals.push(Goal { name, value, goal: format!("≤ {goal}"), met: value <= goal });
        }
    }

    fn workload_a(&mut self) {
        use workload_a::{CONNECTIONS, HALF_OF_ECHO, HALF_OF_REDIS, HOST, NAME, REDIS};
        for connections in [64, 256] {
            let rate = self.median(NAME, HOST, connections, CLOSED, RATE);
            let echo = self.echo(connections, CLOSED, RATE, f64::max);
            self.at_least(
                format!("A: rate at {connections} connections, of the better echo's"),
                rate,
                echo,
                0.95,
            );
        }
        let p50 = self.median(NAME, HOST, 1, CLOSED, P50);
        let echo = self.echo(1, CLOSED, P50, f64::min);
        self.at_most("A: p50 at 1 connection, of the better echo's".to_owned(), p50, echo, 1.1);
        let busy = self.median(NAME, Peer::LogtankBusyPoll, 1, CLOSED, P50);
        self.at_most(
            "A: p50 at 1 connection with busy-poll, of the better echo's without".to_owned(),
            busy,
            echo,
            0.5,
        );
        for connections in CONNECTIONS {
            let mode = open(HALF_OF_ECHO);
            let p999 = self.median(NAME, HOST, connections, &mode, P999);
            let echo = self.echo(connections, &mode, P999, f64::min);
            let name =
                format!("A: p99.9 at {connections} connections and half the rate, of the better echo's");
            self.at_most(name, p999, echo, 1.3);
        }
        for (connections, goal) in [(64, 1.5), (256, 2.0)] {
            let rate = self.median(NAME, HOST, connections, CLOSED, RATE);
            let redis = self.median(NAME, REDIS, connections, CLOSED, RATE);
            self.at_least(
                format!("A: rate at {connections} connections, of Redis everysec's"),
                rate,
                redis,
                goal,
            );
        }
        for connections in CONNECTIONS {
            let mode = open(HALF_OF_REDIS);
            let p999 = self.median(NAME, HOST, connections, &mode, P999);
            let redis = self.median(NAME, REDIS, connections, &mode, P999);
            let name =
                format!("A: p99.9 at {connections} connections and half the rate, of Redis everysec's");
            self.at_most(name, p999, redis, 1.0);
        }
    }
    fn figure(&self, workload: &str, name: &str) -> Option<f64> {
        self.results.figure(workload, name).map(|spread| spread.median)
    }

    fn workload_b(&mut self) {
        use workload_b::{CONNECTIONS, FIO_BEST, HALF, HOST, NAME, REDIS, WITHOUT_SYNC};
        for connections in CONNECTIONS {
            let bytes = self.median(NAME, HOST, connections, CLOSED, BYTES);
            let fio = self.figure(NAME, FIO_BEST);
            self.at_least(format!("B: bandwidth at {connections} connections, of fio's"), bytes, fio, 0.9);
            let redis = self.median(NAME, REDIS, connections, CLOSED, BYTES);
            self.at_least(
                format!("B: bandwidth at {connections} connections, of Redis everysec's"),
                bytes,
                redis,
                3.0,
            );
            let with = self.median(NAME, HOST, connections, &open(HALF), P999);
            let without = self.median(NAME, WITHOUT_SYNC, connections, &open(HALF), P999);
            let name =
                format!("B: p99.9 at {connections} connections and half the rate, of that without sync");
            self.at_most(name, with, without, 1.5);
        }
    }

    fn workload_c(&mut self) {
        use workload_c::{CONNECTIONS, HOST, INTERVAL, NAME, REDIS};
        for connections in CONNECTIONS {
            let rate = self.median(NAME, HOST, connections, CLOSED, RATE);
            let redis = self.median(NAME, REDIS, connections, CLOSED, RATE);
            self.at_least(
                format!("C: rate at {connections} connections, of Redis always'"),
                rate,
                redis,
                2.0,
            );
        }
        let rate = self.median(NAME, HOST, 256, CLOSED, RATE);
        let own = self.median(NAME, INTERVAL, 256, CLOSED, RATE);
        self.at_least(
            "C: rate at 256 connections, of its own with sync interval".to_owned(),
            rate,
            own,
            0.75,
        );
    }

    fn workload_d(&mut self) {
        use workload_d::{NAME, STREAM};
        let [optimized, _, _, live] = workload_d::STATES.map(|state| self.figure(NAME, state));
        let stream = self.figure(NAME, STREAM);
        self.at_least(
            "D: recovery of an optimized index, of a bare stream".to_owned(),
            optimized,
            stream,
            0.7,
        );
        self.at_least("D: recovery of a live index, of an optimized one".to_owned(), live, optimized, 0.5);
    }

    fn workload_e(&mut self) {
        use workload_e::{CONNECTIONS, HOST, INDEXES, NAME, memory, rate};
        let [one, thousand, most] = INDEXES.map(|indexes| self.figure(NAME, &rate(indexes)));
        let intake = self.median(NAME, HOST, CONNECTIONS, CLOSED, RATE);
        for (indexes, dealt) in [(INDEXES[0], one), (INDEXES[1], thousand)] {
            let name = format!("E: dealing of {indexes} indexes, of the rate of taking in at 64 connections");
            self.at_least(name, dealt, intake, 1.0);
        }
        let name = format!("E: dealing of {} indexes, of that of {}", INDEXES[2], INDEXES[1]);
        self.at_least(name, most, thousand, 0.2);
        for indexes in INDEXES {
            let name = format!("E: memory of dealing {indexes} indexes, of 512 MiB");
            self.at_most(name, self.figure(NAME, &memory(indexes)), Some(512.0), 1.0);
        }
    }

    fn workload_f(&mut self) {
        use workload_f::{ALONE, BESIDE, NAME};
        let (alone, beside) = (self.figure(NAME, ALONE), self.figure(NAME, BESIDE));
        self.at_most(
            "F: p99.9 beside dealing and two recoveries, of that without".to_owned(),
            beside,
            alone,
            1.25,
        );
    }

    fn workload_g(&mut self) {
        use workload_g::{CONNECTIONS, ECHO, GROWTH, HOST, NAME};
        let host = self.median(NAME, HOST, CONNECTIONS, CLOSED, COST);
        let echo = self.median(NAME, ECHO, CONNECTIONS, CLOSED, COST);
        self.at_most("G: processor time per record, of the echo's".to_owned(), host, echo, 1.3);
        let rate = |without| self.median(NAME, Peer::LogtankWithout(without), CONNECTIONS, CLOSED, RATE);
        let (with, without) = (rate(Without::Nothing), rate(Without::All));
        self.at_least(
            "G: rate, of that without metrics, checksums and positions".to_owned(),
            with,
            without,
            0.95,
        );
        let growth = self.figure(NAME, GROWTH);
        self.at_most(format!("G: {GROWTH}"), growth, Some(1.0), 1.05);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::results::Figure;
    use crate::machine::Facts;

    fn results(figures: &[(&str, f64)]) -> Results {
        let figure = |&(name, value): &(&str, f64)| Figure {
            workload: "D".to_owned(),
            name: name.to_owned(),
            round: 0,
            value,
            unit: "MB/s".to_owned(),
        };
        Results {
            machine: Facts::gather(std::path::Path::new(".")),
            command: String::new(),
            rounds: 1,
            seconds: 1.0,
            goals: Vec::new(),
            notes: Vec::new(),
            cells: Vec::new(),
            figures: figures.iter().map(figure).collect(),
        }
    }

    #[test]
    fn what_was_not_measured_has_no_goal() {
        assert!(judge(&results(&[])).is_empty());
        assert!(judge(&results(&[("optimized", 700.0)])).is_empty(), "nothing to compare with");
    }

    #[test]
    fn a_goal_is_met_at_its_bound_and_not_below() {
        let met = |optimized, live| {
            let goals =
                judge(&results(&[("bare TCP stream", 1000.0), ("optimized", optimized), ("live", live)]));
            goals.iter().map(|goal| goal.met).collect::<Vec<_>>()
        };
        assert_eq!(met(700.0, 350.0), [true, true]);
        assert_eq!(met(699.0, 340.0), [false, false]);
    }
}
