//! The report for people and for programs.

use std::path::Path;

use logtank_sysconfig::{Applied, Fix, Item, Measured, Report, State};
use serde_json::{Value, json};

const WIDTH: usize = 100;

pub(super) fn print(report: &Report, applied: &[Applied], tuned: Option<&Path>) {
    for item in &report.items {
        print_item(item);
    }
    for one in applied {
        match &one.outcome {
            Ok(()) => println!("applied  {}: {}", one.item, what(&one.fix)),
            Err(error) => println!("FAILED   {}: {error}", one.item),
        }
    }
    if let Some(path) = tuned {
        println!("measured {} (what `serve` takes for its defaults)", path.display());
    }
    let count = |state| report.items.iter().filter(|item| item.state == state).count();
    println!(
        "{} as wanted, {} not, {} could not be told",
        count(State::Good),
        count(State::Differs),
        count(State::Unknown)
    );
}

fn print_item(item: &Item) {
    let sign = match item.state {
        State::Good => "ok",
        State::Differs => "DIFFERS",
        State::Unknown => "UNKNOWN",
    };
    println!("{sign:<8} {}: {}", item.name, item.current);
    if item.state == State::Good {
        return;
    }
    println!("{:9}wanted: {}", "", item.wanted);
    for line in wrapped(&item.why) {
        println!("{:9}{line}", "");
    }
    for fix in &item.fixes {
        let how = if matches!(fix, Fix::ByHand { .. }) { "by hand" } else { "--apply" };
        println!("{:9}{how}: {}", "", what(fix));
    }
}

fn what(fix: &Fix) -> String {
    match fix {
        Fix::Set { path, value } => format!("{value} to {}", path.display()),
        Fix::Keep { path, .. } => format!("write {}", path.display()),
        Fix::Remount { target, option } => format!("mount {} again with {option}", target.display()),
        Fix::ByHand { what } => what.clone(),
    }
}

fn wrapped(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_ascii_whitespace() {
        match lines.last_mut() {
            Some(line) if line.len() + word.len() < WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) | None => lines.push(word.to_owned()),
        }
    }
    lines
}

pub(super) fn to_json(
    report: &Report,
    applied: &[Applied],
    measured: Option<&Measured>,
    tuned: Option<&Path>,
) -> Value {
    let applied = applied.iter().map(|one| {
        json!({
            "item": one.item,
            "fix": one.fix,
            "error": one.outcome.as_ref().err().map(ToString::to_string),
        })
    });
    json!({
        "state": report.state(),
        "items": report.items,
        "applied": applied.collect::<Vec<_>>(),
        "measured": measured,
        "tuned": tuned,
    })
}
