//! Two runs beside each other, for regressions.

use std::fmt::Write;

use super::markdown::{groups, number};
use crate::compare::{Cell, Results, Which};

/// Changes smaller than this are told as none: runs differ by as much on their own.
const NOISE: f64 = 0.05;

type Column = (&'static str, bool, fn(&Cell) -> f64);

/// What is compared, and whether more of it is better.
const COLUMNS: [Column; 4] = [
    ("records/s", true, |cell| cell.measured.records_per_second),
    ("p50 µs", false, |cell| cell.measured.latency_us.p50),
    ("p99.9 µs", false, |cell| cell.measured.latency_us.p999),
    ("server µs/record", false, |cell| cell.server.processor_us_per_record),
];

/// A table of all that both measured.
pub(super) fn side_by_side(before: &Results, after: &Results) -> String {
    let mut out = String::new();
    let mut line = |text: String| writeln!(out, "{text}").expect("a String takes all");
    line(format!(
        "{} ({}) → {} ({})\n",
        before.machine.date, before.command, after.machine.date, after.command
    ));
    line("| | connections | | | before | after | |\n| --- | --- | --- | --- | --- | --- | --- |".to_owned());
    for group in groups(after) {
        for &connections in &group.connections {
            for &peer in &group.peers {
                let which = Which { workload: group.workload, peer, connections, mode: group.mode };
                for (name, more_is_better, value) in COLUMNS {
                    let (Some(old), Some(new)) = (before.spread(which, value), after.spread(which, value))
                    else {
                        continue;
                    };
                    // A change counts only if it is beyond what the rounds of either run differ by.
                    let apart = new.min > old.max || new.max < old.min;
                    let verdict = verdict(old.median, new.median, more_is_better, apart);
                    line(format!(
                        "| {} | {connections} | {peer}, {} | {name} | {} | {} | {verdict} |",
                        group.workload,
                        group.mode,
                        number(old.median),
                        number(new.median)
                    ));
                }
            }
        }
    }
    for text in figures(before, after) {
        line(text);
    }
    out
}

/// The lines of figures that both have.
fn figures(before: &Results, after: &Results) -> Vec<String> {
    let mut named: Vec<(&str, &str)> = Vec::new();
    let mut lines = Vec::new();
    for figure in &after.figures {
        let name = (figure.workload.as_str(), figure.name.as_str());
        if named.contains(&name) {
            continue;
        }
        named.push(name);
        if let (Some(old), Some(new)) = (before.figure(name.0, name.1), after.figure(name.0, name.1)) {
            let change = 100.0 * (new.median / old.median - 1.0);
            lines.push(format!(
                "| {} | | {} | {} | {} | {} | {change:+.0} % |",
                name.0,
                name.1,
                figure.unit,
                number(old.median),
                number(new.median)
            ));
        }
    }
    lines
}

fn verdict(old: f64, new: f64, more_is_better: bool, apart: bool) -> String {
    let change = new / old - 1.0;
    let percent = format!("{:+.0} %", change * 100.0);
    if change.abs() < NOISE || !apart {
        return percent;
    }
    if (change > 0.0) == more_is_better {
        format!("{percent} better")
    } else {
        format!("{percent} **worse**")
    }
}

#[cfg(test)]
mod tests {
    use super::verdict;

    #[test]
    fn only_what_is_beyond_the_spread_is_judged() {
        assert_eq!(verdict(100.0, 120.0, true, true), "+20 % better");
        assert_eq!(verdict(100.0, 120.0, false, true), "+20 % **worse**");
        assert_eq!(verdict(100.0, 120.0, true, false), "+20 %");
        assert_eq!(verdict(100.0, 97.0, true, true), "-3 %");
    }
}
