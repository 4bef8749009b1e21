//! What a comparison found, as it is written and read again.

use serde::{Deserialize, Serialize};

use crate::load::Measured;
use crate::machine::Facts;

/// Everything.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Results {
    pub(crate) machine: Facts,
    /// The command that repeats it.
    pub(crate) command: String,
    /// As asked for; of joined ones the least.
    pub(crate) rounds: usize,
    /// As asked for, of a run; of joined ones the least.
    pub(crate) seconds: f64,
    pub(crate) goals: Vec<Goal>,
    /// What was not run or has to be known to read the rest.
    pub(crate) notes: Vec<String>,
    pub(crate) cells: Vec<Cell>,
    pub(crate) figures: Vec<Figure>,
}

/// A goal and whether it was reached.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Goal {
    pub(crate) name: String,
    pub(crate) value: f64,
    /// As in `≥ 0.95`.
    pub(crate) goal: String,
    pub(crate) met: bool,
}

/// One run of a load against one peer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Cell {
    pub(crate) workload: String,
    pub(crate) peer: String,
    pub(crate) round: usize,
    /// What tells it from others with the same peer: `closed`, or `open` and whose rate was offered.
    pub(crate) mode: String,
    pub(crate) measured: Measured,
    pub(crate) server: ServerUse,
    /// The part of all processors' time that the hypervisor took during it.
    #[serde(default)]
    pub(crate) stolen: f64,
}

/// What the server used while it was measured.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct ServerUse {
    /// Of all its threads.
    pub(crate) processor_us_per_record: f64,
    /// Of the thread that serves.
    pub(crate) serving_us_per_record: f64,
    pub(crate) resident_bytes: u64,
    pub(crate) peak_resident_bytes: u64,
    /// When fdatasyncs ended, in seconds since measuring began, where it tells.
    #[serde(default)]
    pub(crate) syncs_at_s: Vec<f64>,
}

/// Anything else that was measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Figure {
    pub(crate) workload: String,
    pub(crate) name: String,
    pub(crate) round: usize,
    pub(crate) value: f64,
    pub(crate) unit: String,
}

/// A median, and the least and the greatest that it is the median of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// `None` of nothing.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let median = match values.len() {
            0 => return None,
            odd if odd % 2 == 1 => values[middle],
            _ => f64::midpoint(values[middle - 1], values[middle]),
        };
        Some(Self { median, min: values[0], max: values[values.len() - 1] })
    }
}

/// The mode of a closed loop.
pub(crate) const CLOSED: &str = "closed";

/// The mode of an open loop at a rate named so.
pub(crate) fn open(name: &str) -> String {
    format!("open, {name}")
}

/// Which runs are meant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Which<'a> {
    pub(crate) workload: &'a str,
    pub(crate) peer: &'a str,
    pub(crate) connections: usize,
    pub(crate) mode: &'a str,
}

impl Results {
    /// With what another comparison on the same machine found; its workloads take the place of those of the same names. To
    /// be judged anew.
    pub(crate) fn join(mut self, other: Self) -> Self {
        let again = |workload: &str| {
            other.cells.iter().any(|cell| cell.workload == workload)
                || other.figures.iter().any(|figure| figure.workload == workload)
        };
        self.cells.retain(|cell| !again(&cell.workload));
        self.figures.retain(|figure| !again(&figure.workload));
        self.command = format!("{}; {}", self.command, other.command);
        self.rounds = self.rounds.min(other.rounds);
        self.seconds = self.seconds.min(other.seconds);
        for peer in other.machine.peers {
            if !self.machine.peers.contains(&peer) {
                self.machine.peers.push(peer);
            }
        }
        for note in other.notes {
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
        self.cells.extend(other.cells);
        self.figures.extend(other.figures);
        self.goals.clear();
        self
    }

    /// A value of some runs, over the rounds.
    pub(crate) fn spread(&self, which: Which<'_>, value: impl Fn(&Cell) -> f64) -> Option<Spread> {
        let meant = self.cells.iter().filter(|cell| {
            cell.workload == which.workload
                && cell.peer == which.peer
                && cell.mode == which.mode
                && cell.measured.connections == which.connections
        });
        Spread::of(meant.map(value))
    }

    /// A figure, over the rounds.
    pub(crate) fn figure(&self, workload: &str, name: &str) -> Option<Spread> {
        let meant = self.figures.iter().filter(|figure| figure.workload == workload && figure.name == name);
        Spread::of(meant.map(|figure| figure.value))
    }
}

#[cfg(test)]
mod tests {
    use super::{Figure, Results, Spread};

    #[test]
    fn joined_parts_hold_both_and_the_later_of_the_same() {
        let mut first: Results =
            serde_json::from_str(include_str!("../../results/performance.json")).unwrap();
        first.figures.clear();
        let figure = |workload: &str, value| Figure {
            workload: workload.to_owned(),
            name: "rate".to_owned(),
            round: 0,
            value,
            unit: String::new(),
        };
        let mut second = first.clone();
        first.figures = vec![figure("Y", 1.0), figure("Z", 2.0)];
        second.figures = vec![figure("Z", 3.0)];
        let cells = first.cells.len();
        let joined = first.join(second);
        let values: Vec<f64> = joined.figures.iter().map(|figure| figure.value).collect();
        assert_eq!(values, [1.0, 3.0]);
        assert_eq!(joined.cells.len(), cells, "those of the same workloads are not there twice");
    }

    #[test]
    fn medians_of_odd_and_even_counts() {
        let spread = |values: &[f64]| Spread::of(values.iter().copied()).map(|spread| spread.median);
        assert_eq!(spread(&[]), None);
        assert_eq!(spread(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(spread(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }
}
