//! One page that needs nothing else: charts, then the tables.

use std::fmt::Write;
use std::io::Result;

use super::charts::{Chart, Series};
use super::markdown::{Group, groups, number, rounds, spread};
use crate::compare::{CLOSED, HALF_OF_ECHO, Results, Spread, TIMELINE, Which, open};

const STYLE: &str = include_str!("page.css");

/// The page.
///
/// # Errors
/// If a chart can't be drawn.
pub(crate) fn html(results: &Results) -> Result<String> {
    let mut body = String::new();
    put(&mut body, "<h1>LogTank beside its limits and its peers</h1>");
    put(
        &mut body,
        &format!(
            "<p>{} · {} × {} · kernel {} · {} · interleaved rounds: {}</p><p><code>{}</code></p>",
            escape(&results.machine.date),
            results.machine.processors,
            escape(&results.machine.processor),
            escape(&results.machine.kernel),
            escape(&results.machine.filesystem),
            rounds(results),
            escape(&results.command)
        ),
    );
    goals(&mut body, results);
    charts(&mut body, results)?;
    tables(&mut body, results);
    put(&mut body, "<h2>Configuration</h2><dl>");
    for (peer, text) in &results.machine.peers {
        put(&mut body, &format!("<dt>{}</dt><dd>{}</dd>", escape(peer), escape(text)));
    }
    put(&mut body, "</dl>");
    if !results.notes.is_empty() {
        put(&mut body, "<h2>Notes</h2><ul>");
        for note in &results.notes {
            put(&mut body, &format!("<li>{}</li>", escape(note)));
        }
        put(&mut body, "</ul>");
    }
    Ok(format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>LogTank: comparison</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n{body}</body>\n</html>\n"
    ))
}

fn goals(body: &mut String, results: &Results) {
    if results.goals.is_empty() {
        return;
    }
    let met = results.goals.iter().filter(|goal| goal.met).count();
    put(body, &format!("<h2>Goals: {met} of {} met</h2><table>", results.goals.len()));
    for goal in &results.goals {
        let (class, verdict) = if goal.met { ("met", "met") } else { ("missed", "not met") };
        let (name, bound, value) = (escape(&goal.name), escape(&goal.goal), goal.value);
        put(
            body,
            &format!(
                "<tr class=\"{class}\"><td>{name}</td><td>{bound}</td><td>{value:.3}</td><td>{verdict}</td></tr>"
            ),
        );
    }
    put(body, "</table>");
}

fn put(body: &mut String, text: &str) {
    writeln!(body, "{text}").expect("a String takes all");
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn charts(body: &mut String, results: &Results) -> Result<()> {
    let half = open(HALF_OF_ECHO);
    for group in groups(results) {
        if group.mode == CLOSED && group.connections.len() > 1 {
            add(
                body,
                &format!("{}: throughput by connections", group.workload),
                &throughput(results, &group),
            )?;
        }
        if group.mode == CLOSED || group.mode == half {
            for &connections in &group.connections {
                let title = format!(
                    "{}: latency by percentile, {connections} connections, {}",
                    group.workload, group.mode
                );
                add(body, &title, &percentiles(results, &group, connections))?;
            }
        }
    }
    let timeline = open(TIMELINE);
    for cell in results.cells.iter().filter(|cell| cell.mode == timeline) {
        let slots = &cell.measured.timeline;
        let series = |name: &str, value: fn(&crate::load::Slot) -> f64| Series {
            name: name.to_owned(),
            points: slots.iter().map(|slot| (slot.at_s, value(slot))).collect(),
        };
        let chart = Chart {
            x: "seconds; vertical lines: fdatasyncs ended",
            y: "latency, µs",
            series: vec![
                series("p50", |slot| slot.p50),
                series("p99", |slot| slot.p99),
                series("greatest", |slot| slot.max),
            ],
            marks: cell.server.syncs_at_s.clone(),
            points: false,
            format_x: &|value| format!("{value:.1}"),
            ticks_x: 12,
        };
        let title = format!(
            "{}: latency over time, {} connections, {} records/s",
            cell.workload,
            cell.measured.connections,
            number(cell.measured.records_per_second)
        );
        add(body, &title, &chart)?;
    }
    Ok(())
}

fn add(body: &mut String, title: &str, chart: &Chart<'_>) -> Result<()> {
    if let Some(svg) = chart.draw()? {
        let legend: String = chart
            .legend()
            .map(|(name, color)| format!("<li style=\"--series: {color}\">{}</li>", escape(name)))
            .collect();
        put(
            body,
            &format!("<figure><figcaption>{}</figcaption><ul>{legend}</ul>{svg}</figure>", escape(title)),
        );
    }
    Ok(())
}

fn throughput<'c>(results: &Results, group: &Group<'_>) -> Chart<'c> {
    let &Group { workload, mode, .. } = group;
    let rate = |peer, connections| {
        let which = Which { workload, peer, connections, mode };
        results.spread(which, |cell| cell.measured.records_per_second).map(|spread| spread.median)
    };
    let series = group.peers.iter().map(|&peer| {
        let points = group
            .connections
            .iter()
            .filter_map(|&connections| Some(((connections as f64).log2(), rate(peer, connections)?)));
        Series { name: peer.to_owned(), points: points.collect() }
    });
    Chart {
        x: "connections",
        y: "records/s",
        series: series.collect(),
        marks: Vec::new(),
        points: true,
        format_x: &|value| format!("{:.0}", value.exp2()),
        ticks_x: 9,
    }
}

fn percentiles<'c>(results: &Results, group: &Group<'_>, connections: usize) -> Chart<'c> {
    let series = group.peers.iter().map(|&peer| {
        let runs = results.cells.iter().filter(|cell| {
            cell.workload == group.workload
                && cell.mode == group.mode
                && cell.peer == peer
                && cell.measured.connections == connections
        });
        let runs: Vec<_> = runs.collect();
        let shortest = runs.iter().map(|cell| cell.measured.curve.len()).min().unwrap_or(0);
        let points = (0..shortest).filter_map(|place| {
            let (percent, _) = runs[0].measured.curve[place];
            let median = Spread::of(runs.iter().map(|cell| cell.measured.curve[place].1))?.median;
            // Each step to the right is a tenth of what is left: 90 %, 99 %, 99.9 %.
            Some((-(1.0 - percent / 100.0).log10(), median))
        });
        Series { name: peer.to_owned(), points: points.collect() }
    });
    Chart {
        x: "percentile",
        y: "latency, µs",
        series: series.collect(),
        marks: Vec::new(),
        points: false,
        format_x: &|nines| {
            let percent = 100.0 * (1.0 - 10f64.powf(-nines));
            let text = format!("{percent:.4}");
            format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
        },
        ticks_x: 6,
    }
}

fn tables(body: &mut String, results: &Results) {
    for Group { workload, mode, peers, connections } in groups(results) {
        put(body, &format!("<h2>{}</h2><table>", escape(&format!("{workload}, {mode}"))));
        put(
            body,
            "<tr><th>connections</th><th>peer</th><th>records/s</th><th>p50 µs</th><th>p99 µs</th><th>p99.9 µs</th>\
             <th>server µs/record</th></tr>",
        );
        for connections in connections {
            for &peer in &peers {
                let which = Which { workload, peer, connections, mode };
                let rate = spread(results.spread(which, |cell| cell.measured.records_per_second));
                if rate.is_empty() {
                    continue;
                }
                let columns = [
                    rate,
                    spread(results.spread(which, |cell| cell.measured.latency_us.p50)),
                    spread(results.spread(which, |cell| cell.measured.latency_us.p99)),
                    spread(results.spread(which, |cell| cell.measured.latency_us.p999)),
                    spread(results.spread(which, |cell| cell.server.processor_us_per_record)),
                ];
                let columns = columns.map(|column| format!("<td>{column}</td>")).concat();
                put(body, &format!("<tr><td>{connections}</td><td>{}</td>{columns}</tr>", escape(peer)));
            }
        }
        put(body, "</table>");
    }
    if results.figures.is_empty() {
        return;
    }
    put(body, "<h2>Other figures</h2><table>");
    let mut told: Vec<(&str, &str)> = Vec::new();
    for figure in &results.figures {
        let name = (figure.workload.as_str(), figure.name.as_str());
        if told.contains(&name) {
            continue;
        }
        told.push(name);
        let value = spread(results.figure(name.0, name.1));
        let (name, unit) = (escape(name.1), escape(&figure.unit));
        put(
            body,
            &format!("<tr><td>{}</td><td>{name}</td><td>{value}</td><td>{unit}</td></tr>", figure.workload),
        );
    }
    put(body, "</table>");
}
