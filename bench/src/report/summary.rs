use std::fmt::Write;

use crate::compare::Results;

/// What the terminal gets at the end: the goals, those not met last.
pub(crate) fn summary(results: &Results) -> String {
    let mut out = String::new();
    let mut goals: Vec<_> = results.goals.iter().collect();
    goals.sort_by_key(|goal| !goal.met);
    for goal in &goals {
        let verdict = if goal.met { "met    " } else { "NOT met" };
        writeln!(out, "{verdict}  {:7.3} ({})  {}", goal.value, goal.goal, goal.name)
            .expect("a String takes all");
    }
    for note in &results.notes {
        writeln!(out, "note: {note}").expect("a String takes all");
    }
    out
}
