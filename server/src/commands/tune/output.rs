//! The report for people and for programs.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::Path;

use logtank_sysconfig::{Applied, Fix, Item, Measured, Report, State};
use serde_json::{Value, json};

use crate::plain::{one_line, plain};

const WIDTH: usize = 100;

/// One more line of a String.
macro_rules! out_line {
    ($out:ident, $($what:tt)*) => {
        writeln!($out, $($what)*).expect("a String takes everything")
    };
}

/// Prints, without what a terminal would obey: names of mounts and drives are whatever somebody has given them. A reader that has seen enough, as `head`, is no error.
pub(super) fn say(text: &str) -> io::Result<()> {
    match io::stdout().write_all(plain(text, &['\n', '\t']).as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

pub(super) fn to_text(report: &Report, applied: &[Applied], tuned: Option<&Path>) -> String {
    let mut out = String::new();
    for item in &report.items {
        add_item(&mut out, item);
    }
    for one in applied {
        match &one.outcome {
            Ok(()) => out_line!(out, "applied  {}: {}", one_line(&one.item), one_line(&what(&one.fix))),
            Err(error) => {
                out_line!(out, "FAILED   {}: {}", one_line(&one.item), one_line(&error.to_string()))
            }
        }
    }
    if let Some(path) = tuned {
        let path = path.display().to_string();
        out_line!(out, "measured {} (what `serve` takes for its defaults)", one_line(&path));
    }
    let count = |state| report.items.iter().filter(|item| item.state == state).count();
    out_line!(
        out,
        "{} as wanted, {} not, {} could not be told",
        count(State::Good),
        count(State::Differs),
        count(State::Unknown)
    );
    out
}

fn add_item(out: &mut String, item: &Item) {
    let sign = match item.state {
        State::Good => "ok",
        State::Differs => "DIFFERS",
        State::Unknown => "UNKNOWN",
    };
    out_line!(out, "{sign:<8} {}: {}", one_line(&item.name), one_line(&item.current));
    if item.state == State::Good {
        return;
    }
    out_line!(out, "{:9}wanted: {}", "", one_line(&item.wanted));
    for line in wrapped(&item.why) {
        out_line!(out, "{:9}{line}", "");
    }
    for fix in &item.fixes {
        let how = if matches!(fix, Fix::ByHand { .. }) { "by hand" } else { "--apply" };
        out_line!(out, "{:9}{how}: {}", "", one_line(&what(fix)));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_of_a_mount_becomes_a_line_of_its_own() {
        let nasty = "m\nok       io_uring: fine\u{1b}[2J\u{9b}";
        let mut item = Item::new(nasty, false, nasty, nasty, "Why.").by_hand(nasty).set(nasty, nasty);
        item.fixes.push(Fix::Remount { target: nasty.into(), option: "noatime".to_owned() });
        let applied = Applied { item: nasty.to_owned(), fix: item.fixes[0].clone(), outcome: Ok(()) };
        let text = to_text(&Report { items: vec![item] }, &[applied], Some(Path::new(nasty)));
        assert!(!text.lines().any(|line| line.starts_with("ok")), "{text}");
        assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
        assert_eq!(text.lines().count(), 9, "{text}");
    }
}
