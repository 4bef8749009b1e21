//! `logtank tune` on the machine that the tests run on: changes nothing there.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use logtank_tests::host::{program, run};

/// The user who has no files by convention.
const NOBODY: u32 = 65534;

/// `tune` by a user who may not change the machine, whoever runs the tests; `data` becomes this user's.
fn run_as_nobody(arguments: &[&str], data: Option<&Path>) -> (Option<i32>, String, String) {
    let home = tempfile::tempdir().unwrap();
    let mut command = if home.path().metadata().unwrap().uid() == 0 {
        // The program may be where this user can't look.
        let copy = home.path().join("logtank");
        std::fs::copy(program(), &copy).unwrap();
        std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        if let Some(data) = data {
            chown(data, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let mut command = Command::new(copy);
        command.uid(NOBODY).gid(NOBODY);
        command
    } else {
        Command::new(program())
    };
    let output = command.arg("tune").args(arguments).current_dir("/").stdin(Stdio::null()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn looking_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let (_, out, error) = run(&["tune", "--data", data, "--measure-for", "300ms"], b"");
    assert!(out.contains("fdatasync latency: ") && out.contains("nothing was changed"), "{out}{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let (_, out, _) = run(&["tune", "--data", data, "--measure-for", "300ms", "--json"], b"");
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert!(report["measured"].is_object() && report["tuned"].is_null(), "{out}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_user_who_may_not_measure_learns_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o555)).unwrap();
    let data = folder.path().to_str().unwrap();
    let (code, out, error) = run_as_nobody(&["--data", data, "--measure-for", "300ms"], None);
    assert!(matches!(code, Some(1 | 2)), "{out}{error}");
    assert_eq!(error, "");
    let why = out.lines().find(|line| line.contains("speed of the drive")).unwrap_or_else(|| panic!("{out}"));
    assert_eq!(why.matches("Permission denied").count(), 1, "{why}");
    for item in ["filesystem of the raw log: ", "open files: ", "io_uring, tried: ", "clock source: "] {
        assert!(out.contains(item), "{item}: {out}");
    }
}

#[test]
fn what_is_measured_becomes_defaults_of_serve() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let arguments = ["--data", data, "--measure-for", "300ms", "--json", "--apply"];
    let (code, out, error) = run_as_nobody(&arguments, Some(folder.path()));
    let report: serde_json::Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{error}"));
    let expected = match report["state"].as_str().unwrap() {
        "good" => 0,
        "differs" => 1,
        "unknown" => 2,
        other => panic!("{other}"),
    };
    assert_eq!(code, Some(expected));
    assert!(report["measured"]["bytes_per_second"].as_u64().unwrap() > 0);
    assert!(report["items"].as_array().unwrap().len() > 15, "{out}");
    let (code, printed, _) = run(&["check-config", "--data", data], b"");
    assert_eq!(code, Some(0));
    for name in ["append_slow_after", "background_rate_min"] {
        let line = printed.lines().find(|line| line.starts_with(name)).unwrap();
        assert!(line.contains("tuned.toml:"), "{line}");
    }
    let (_, printed, _) = run(&["check-config", "--data", data, "--background-rate-min", "8MiB"], b"");
    assert!(printed.contains("background_rate_min = \"8MiB\""), "a flag wins: {printed}");
}

#[test]
fn what_was_measured_on_another_drive_is_not_used_and_said_once() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let (_, _, error) =
        run_as_nobody(&["--data", data, "--measure-for", "300ms", "--apply"], Some(folder.path()));
    let file = folder.path().join("tuned.toml");
    let ours = std::fs::read_to_string(&file).unwrap_or_else(|_| panic!("{error}"));
    let (_, _, error) = run(&["check-config", "--data", data], b"");
    assert_eq!(error, "", "on the drive that was measured there is nothing to say");
    let without: String = ours
        .lines()
        .filter(|line| !line.starts_with("measured_drive = "))
        .map(|line| line.to_owned() + "\n")
        .collect();
    let swapped = format!("measured_drive = \"drive S-gone, xfs 1a\"\n{without}");
    for text in [without.as_str(), swapped.as_str()] {
        std::fs::write(&file, text).unwrap();
        let (code, printed, error) = run(&["check-config", "--data", data], b"");
        assert_eq!(code, Some(0));
        assert!(!printed.contains("tuned.toml"), "{printed}");
        assert_eq!(error.lines().count(), 1, "{error}");
        let again = format!("Measure again: logtank tune --data {data} --raw-dir {data} --apply");
        assert!(error.contains("another drive") && error.contains(&again), "{error}");
    }
    let flags =
        ["check-config", "--data", data, "--background-rate-min", "8MiB", "--append-slow-after", "1ms"];
    let (_, _, error) = run(&flags, b"");
    assert_eq!(error, "", "nothing hangs on the file then");
}

#[test]
fn the_script_is_a_script_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let (_, script, _) = run(&["tune", "--data", data, "--measure-for", "0s", "--script"], b"");
    assert!(script.starts_with("#!/bin/sh\n"), "{script}");
    let mut sh = std::process::Command::new("sh");
    let mut sh = sh.arg("-n").stdin(std::process::Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut sh.stdin.take().unwrap(), script.as_bytes()).unwrap();
    assert!(sh.wait().unwrap().success(), "{script}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_file_of_tune_may_not_set_anything_else() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tuned.toml"), "sync = \"interval\"\n").unwrap();
    let (code, _, error) = run(&["check-config", "--data", folder.path().to_str().unwrap()], b"");
    assert_eq!(code, Some(1));
    assert!(error.contains("tuned.toml:1: there is no setting `sync`"), "{error}");
}
