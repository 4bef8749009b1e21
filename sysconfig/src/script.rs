//! What is to be done, as a shell script: for people who want to read it first, or to run it elsewhere.

use std::fmt::Write;
use std::path::Path;

use crate::{Fix, Report};

/// A script for `sh` that does what [`crate::apply`] would, with each reason as a comment.
#[must_use]
pub fn script(report: &Report) -> String {
    let mut out = String::from("#!/bin/sh\n# Made by `logtank tune --script`. Run it as root.\nset -eu\n");
    for item in report.differing() {
        let _ = write!(out, "\n# {}: {}; wanted: {}.\n", item.name, item.current, item.wanted);
        for line in item.why.lines() {
            let _ = writeln!(out, "# {line}");
        }
        for fix in &item.fixes {
            out.push_str(&command(fix));
        }
    }
    out
}

fn command(fix: &Fix) -> String {
    match fix {
        Fix::Set { path, value } => format!("printf %s {} > {}\n", quoted(value), quoted_path(path)),
        Fix::Keep { path, text } => {
            let folder = path.parent().unwrap_or(Path::new("/"));
            format!(
                "mkdir -p {}\ncat > {} <<'LOGTANK_END'\n{text}LOGTANK_END\n",
                quoted_path(folder),
                quoted_path(path)
            )
        }
        Fix::Remount { target, option } => format!("mount -o remount,{option} {}\n", quoted_path(target)),
        Fix::ByHand { what } => {
            let lines: Vec<String> = what.lines().map(|line| format!("# By hand: {line}\n")).collect();
            lines.concat()
        }
    }
}

fn quoted_path(path: &Path) -> String {
    quoted(&path.to_string_lossy())
}

/// One word for the shell, whatever is in it.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-=,:+@".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Item;

    #[test]
    fn a_word_stays_one_word() {
        assert_eq!(quoted("mq-deadline"), "mq-deadline");
        assert_eq!(quoted("write back"), "'write back'");
        assert_eq!(quoted("it's $HOME"), r"'it'\''s $HOME'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn each_difference_is_a_command_with_its_reason() {
        let differs = Item::new("a", false, "1", "2", "It is better.").set("/sys/a b", "x y");
        let good = Item::new("b", true, "1", "1", "Fine.");
        let text = script(&Report { items: vec![differs, good] });
        assert!(
            text.contains("# a: 1; wanted: 2.\n# It is better.\nprintf %s 'x y' > '/sys/a b'\n"),
            "{text}"
        );
        assert!(!text.contains("Fine."));
    }
}
