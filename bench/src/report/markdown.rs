//! Tables.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::isolation::isolation;
use crate::compare::{Cell, Goal, ISOLATION, Results, Spread, Which};

/// All tables, as Markdown.
pub(crate) fn markdown(results: &Results) -> String {
    let mut out = String::new();
    line(&mut out, &format!("`{}`\n", results.command));
    let rounds = rounds(results);
    line(&mut out, &format!("Medians of interleaved rounds ({rounds}); least and greatest in brackets.\n"));
    goals(&mut out, &results.goals);
    loads(&mut out, results);
    out.push_str(&isolation(results));
    figures(&mut out, results);
    machine(&mut out, results);
    out
}

fn line(out: &mut String, text: &str) {
    writeln!(out, "{text}").expect("a String takes all");
}

fn goals(out: &mut String, goals: &[Goal]) {
    if goals.is_empty() {
        return;
    }
    let met = goals.iter().filter(|goal| goal.met).count();
    line(out, &format!("### Goals: {met} of {} met\n", goals.len()));
    line(out, "| | goal | value | |\n| --- | --- | --- | --- |");
    for Goal { name, value, goal, met } in goals {
        let verdict = if *met { "met" } else { "**not met**" };
        line(out, &format!("| {name} | {goal} | {value:.3} | {verdict} |"));
    }
    line(out, "");
}

/// How many each workload has.
pub(super) fn rounds(results: &Results) -> String {
    let cells = results.cells.iter().map(|cell| (cell.workload.as_str(), cell.round));
    let figures = results.figures.iter().map(|figure| (figure.workload.as_str(), figure.round));
    let mut rounds: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    for (workload, round) in cells.chain(figures) {
        rounds.entry(workload).or_default().insert(round);
    }
    let texts: Vec<String> =
        rounds.into_iter().map(|(workload, rounds)| format!("{workload} {}", rounds.len())).collect();
    texts.join(", ")
}

/// Median, least and greatest.
pub(super) fn spread(spread: Option<Spread>) -> String {
    spread.map_or_else(String::new, |spread| {
        format!("{} ({}–{})", number(spread.median), number(spread.min), number(spread.max))
    })
}

/// Three digits that count, thousands as k.
pub(super) fn number(value: f64) -> String {
    match value.abs() {
        big if big >= 9_999.5 => format!("{:.0} k", value / 1000.0),
        big if big >= 999.5 => format!("{:.1} k", value / 1000.0),
        big if big >= 99.5 => format!("{value:.0}"),
        big if big >= 9.95 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// The runs there are: by workload and mode, the peers in the order in which they ran, and the connections.
pub(super) struct Group<'r> {
    pub(super) workload: &'r str,
    pub(super) mode: &'r str,
    pub(super) peers: Vec<&'r str>,
    pub(super) connections: BTreeSet<usize>,
}

pub(super) fn groups(results: &Results) -> Vec<Group<'_>> {
    let mut groups: BTreeMap<(&str, &str), Group<'_>> = BTreeMap::new();
    for cell in &results.cells {
        let (workload, mode) = (cell.workload.as_str(), cell.mode.as_str());
        let new = Group { workload, mode, peers: Vec::new(), connections: BTreeSet::new() };
        let group = groups.entry((workload, mode)).or_insert(new);
        if !group.peers.contains(&cell.peer.as_str()) {
            group.peers.push(&cell.peer);
        }
        group.connections.insert(cell.measured.connections);
    }
    groups.into_values().collect()
}

type Column = (&'static str, fn(&Cell) -> f64);

pub(super) const PERCENTILES: [Column; 3] = [
    ("p50 µs", |cell| cell.measured.latency_us.p50),
    ("p99 µs", |cell| cell.measured.latency_us.p99),
    ("p99.9 µs", |cell| cell.measured.latency_us.p999),
];

const COLUMNS: [Column; 7] = [
    ("records/s", |cell| cell.measured.records_per_second),
    PERCENTILES[0],
    PERCENTILES[1],
    PERCENTILES[2],
    ("server µs/record", |cell| cell.server.processor_us_per_record),
    ("generator busy", |cell| cell.measured.generator.busy),
    ("server MiB", |cell| cell.server.peak_resident_bytes as f64 / 1_048_576.0),
];

fn loads(out: &mut String, results: &Results) {
    for Group { workload, mode, peers, connections } in groups(results) {
        if workload == ISOLATION {
            continue;
        }
        line(out, &format!("### {workload}, {mode}\n"));
        let heads: Vec<&str> = COLUMNS.iter().map(|(head, _)| *head).collect();
        line(out, &format!("| connections | | {} |", heads.join(" | ")));
        line(out, &format!("| --- | --- |{}", " --- |".repeat(heads.len())));
        for connections in connections {
            for &peer in &peers {
                let which = Which { workload, peer, connections, mode };
                let cells: Vec<String> =
                    COLUMNS.iter().map(|(_, value)| spread(results.spread(which, value))).collect();
                if !cells[0].is_empty() {
                    line(out, &format!("| {connections} | {peer} | {} |", cells.join(" | ")));
                }
            }
        }
        line(out, "");
    }
}

fn figures(out: &mut String, results: &Results) {
    let mut names: Vec<(&str, &str, &str)> = Vec::new();
    for figure in &results.figures {
        let name = (figure.workload.as_str(), figure.name.as_str(), figure.unit.as_str());
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.is_empty() {
        return;
    }
    line(out, "### Other figures\n\n| | | | |\n| --- | --- | --- | --- |");
    for (workload, name, unit) in names {
        line(out, &format!("| {workload} | {name} | {} | {unit} |", spread(results.figure(workload, name))));
    }
    line(out, "");
}

fn machine(out: &mut String, results: &Results) {
    let facts = &results.machine;
    line(out, "### Machine and configuration\n");
    for (name, value) in [
        ("date", facts.date.clone()),
        ("processor", format!("{} × {}", facts.processors, facts.processor)),
        ("memory", format!("{} GiB", facts.memory_gib)),
        ("kernel", facts.kernel.clone()),
        ("filesystem", format!("{} on {}", facts.filesystem, facts.device)),
        ("I/O scheduler", facts.scheduler.clone()),
        ("load average before", facts.load_average.to_string()),
    ] {
        line(out, &format!("- {name}: {value}"));
    }
    for (peer, text) in &facts.peers {
        line(out, &format!("- {peer}: {text}"));
    }
    if !results.notes.is_empty() {
        line(out, "\n### Notes\n");
        for note in &results.notes {
            line(out, &format!("- {note}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_three_digits() {
        for (value, text) in [
            (0.123, "0.12"),
            (9.96, "10.0"),
            (99.4, "99.4"),
            (123.4, "123"),
            (999.6, "1.0 k"),
            (1234.0, "1.2 k"),
            (237_000.0, "237 k"),
        ] {
            assert_eq!(number(value), text);
        }
    }
}
