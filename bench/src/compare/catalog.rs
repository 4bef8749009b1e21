//! The workloads there are, and what their goals say of results.

use super::arguments::Letter;
use super::goals::Judge;
use super::results::{Goal, Results};
use super::workload::Workload;
use super::{workload_a, workload_b, workload_c, workload_d, workload_e, workload_f, workload_g, workload_h};

const ALL: [&Workload; 8] = [
    &workload_a::WORKLOAD,
    &workload_b::WORKLOAD,
    &workload_c::WORKLOAD,
    &workload_d::WORKLOAD,
    &workload_e::WORKLOAD,
    &workload_f::WORKLOAD,
    &workload_g::WORKLOAD,
    &workload_h::WORKLOAD,
];

/// Those of these letters, each once, in order.
pub(super) fn of(letters: &[Letter]) -> impl Iterator<Item = &'static Workload> {
    ALL.into_iter().filter(|workload| letters.contains(&workload.letter))
}

/// Judges everything that was measured.
pub(crate) fn judge(results: &Results) -> Vec<Goal> {
    let mut judge = Judge::new(results);
    for workload in ALL {
        (workload.goals)(&mut judge);
    }
    judge.goals()
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
