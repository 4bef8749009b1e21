//! `logtank tune` on the machine that the tests run on: changes nothing.

use logtank_tests::host::run;

#[test]
fn what_is_measured_becomes_defaults_of_serve() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let (code, out, error) = run(&["tune", "--data", data, "--measure-for", "300ms", "--json"], b"");
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
    let (_, _, error) = run(&["tune", "--data", data, "--measure-for", "300ms"], b"");
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
        let again = format!("Measure again: logtank tune --data {data} --raw-dir {data}");
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
