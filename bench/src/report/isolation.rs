//! H's tables: what stands beside the appends across, how they reach the drive down.

use std::fmt::Write;

use super::markdown::{Group, PERCENTILES, groups, spread};
use crate::compare::{ISOLATION, Results, Which};

/// One for each percentile, as Markdown; nothing if H was not run.
pub(super) fn isolation(results: &Results) -> String {
    let groups: Vec<Group<'_>> =
        groups(results).into_iter().filter(|group| group.workload == ISOLATION).collect();
    let mut neighbours: Vec<&str> = Vec::new();
    for &peer in groups.iter().flat_map(|group| &group.peers) {
        if !neighbours.contains(&peer) {
            neighbours.push(peer);
        }
    }
    if groups.is_empty() {
        return String::new();
    }
    let mut out = String::new();
    for (percentile, value) in PERCENTILES {
        let heads = neighbours.join(" | ");
        let rule = " --- |".repeat(neighbours.len());
        writeln!(out, "### {ISOLATION}, {percentile}\n\n| | {heads} |\n| --- |{rule}")
            .expect("a String takes all");
        for &Group { workload, mode, ref connections, .. } in &groups {
            let cells: Vec<String> = neighbours
                .iter()
                .map(|&peer| {
                    let of =
                        |&connections| results.spread(Which { workload, peer, connections, mode }, value);
                    spread(connections.iter().find_map(of))
                })
                .collect();
            let setting = mode.trim_start_matches("open, ");
            writeln!(out, "| {setting} | {} |", cells.join(" | ")).expect("a String takes all");
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::Cell;

    #[test]
    fn each_setting_is_a_row_and_each_neighbour_a_column() {
        let mut results: Results =
            serde_json::from_str(include_str!("../../results/performance.json")).unwrap();
        let like = results.cells[0].clone();
        results.cells.clear();
        for (mode, peer, p99) in [
            ("open, none, direct", "alone", 1.0),
            ("open, none, direct", "beside, both", 2.0),
            ("open, bfq, direct", "alone", 3.0),
        ] {
            let mut cell = Cell {
                workload: ISOLATION.to_owned(),
                mode: mode.to_owned(),
                peer: peer.to_owned(),
                ..like.clone()
            };
            cell.measured.latency_us.p99 = p99;
            results.cells.push(cell);
        }
        let text = isolation(&results);
        let table = text.split("### ").find(|table| table.starts_with("H, p99 µs")).unwrap();
        let rows: Vec<&str> = table.lines().skip(2).take(4).collect();
        assert_eq!(
            rows,
            [
                "| | alone | beside, both |",
                "| --- | --- | --- |",
                "| bfq, direct | 3.00 (3.00–3.00) |  |",
                "| none, direct | 1.00 (1.00–1.00) | 2.00 (2.00–2.00) |",
            ]
        );
        results.cells.clear();
        assert_eq!(isolation(&results), "");
    }
}
