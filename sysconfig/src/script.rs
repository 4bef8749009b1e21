//! What is to be done, as a shell script: for people who want to read it first, or to run it elsewhere.

use std::path::Path;

use crate::{Fix, Report};

/// A script for `sh` that does what [`crate::apply`] would, with each reason as a comment.
#[must_use]
pub fn script(report: &Report) -> String {
    let mut out = String::from("#!/bin/sh\n# Made by `logtank tune --script`. Run it as root.\nset -eu\n");
    for item in report.differing() {
        let (name, current, wanted) = (&item.name, &item.current, &item.wanted);
        out.push('\n');
        out.push_str(&comment(&format!("{name}: {current}; wanted: {wanted}.")));
        for line in item.why.lines() {
            out.push_str(&comment(line));
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
            // Not a here-document: a line of the text could be its end.
            format!("mkdir -p {}\nprintf %s {} > {}\n", quoted_path(folder), quoted(text), quoted_path(path))
        }
        Fix::Remount { target, option } => {
            format!("mount -o {} {}\n", quoted(&format!("remount,{option}")), quoted_path(target))
        }
        Fix::ByHand { what } => {
            let lines: Vec<String> = what.lines().map(|line| comment(&format!("By hand: {line}"))).collect();
            lines.concat()
        }
    }
}

/// One line that the shell passes over. Names of mounts and drives come from the machine, and so from whoever may mount:
/// a line break in one would begin a command.
fn comment(text: &str) -> String {
    let mut line = String::from("# ");
    for c in text.chars() {
        if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    line.push('\n');
    line
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

    /// Runs the script in an empty folder; names of what it left there.
    fn run(text: &str) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let done = std::process::Command::new("sh").arg("-c").arg(text).current_dir(&folder).status();
        assert!(done.unwrap().success(), "{text}");
        let names = std::fs::read_dir(&folder).unwrap();
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn no_text_of_the_machine_becomes_a_command() {
        for break_out in ["\n", "\r\n", "'\n", "\u{b}", "`", "$(", ";", "'; ", "\nLOGTANK_END\n", "\0"] {
            let nasty = format!("m{break_out}touch OWNED\n#`touch OWNED`$(touch OWNED)");
            let mut item = Item::new("a", false, &nasty, &nasty, "Why.");
            item.name = nasty.clone();
            item.fixes.push(Fix::ByHand { what: nasty.clone() });
            let mut text = script(&Report { items: vec![item] });
            // What writes and mounts is tried without the writing and mounting.
            let nasty = nasty.replace('\0', "");
            text.push_str(&format!(": {}\n", quoted(&nasty)));
            text.push_str(&format!(": {}\n", quoted_path(Path::new(&nasty))));
            let kept = command(&Fix::Keep { path: "kept".into(), text: nasty.clone() });
            text.push_str(kept.split_once('\n').unwrap().1);
            assert_eq!(run(&text), ["kept"], "{break_out:?}");
        }
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
