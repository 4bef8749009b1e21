//! Which layer wins, and what is said of mistakes.

use crate::program::{Outcome, logtank, run};

/// The line of a setting in what check-config printed: value and origin.
fn line<'o>(outcome: &'o Outcome, name: &str) -> &'o str {
    let line = outcome.out.lines().find(|line| line.starts_with(&format!("{name} = ")));
    line.unwrap_or_else(|| panic!("{name} is not in {outcome:?}")).split_once(" = ").unwrap().1
}

fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn flags_win_over_variables_over_the_file_over_defaults() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("host.toml");
    std::fs::write(&file, "# a host\nshards = 3\nsync_interval = \"2s\"\nbusy_poll = \"10us\"\n").unwrap();
    let path = file.to_str().unwrap();
    let output = logtank(&["check-config", "--config", path, "--shards", "5"])
        .env("LOGTANK_SHARDS", "4")
        .env("LOGTANK_SYNC_INTERVAL", "3s")
        .output();
    let outcome = Outcome::of(output.unwrap());
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert_eq!(squeezed(line(&outcome, "shards")), "5 # flag --shards");
    assert_eq!(squeezed(line(&outcome, "sync_interval")), "\"3s\" # variable LOGTANK_SYNC_INTERVAL");
    assert_eq!(squeezed(line(&outcome, "busy_poll")), format!("\"10us\" # {path}:4"));
    assert_eq!(squeezed(line(&outcome, "sync")), "\"interval\" # default");
    assert_eq!(squeezed(line(&outcome, "writer_addr")), "\"127.0.0.1:15000\" # default");
}

#[test]
fn what_check_config_prints_is_a_file_that_gives_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let first = run(&["check-config", "--raw-dir", "/raw \"x\"", "--history-max-bytes", "unlimited"]);
    assert_eq!(first.code, Some(0), "{first:?}");
    let file = folder.path().join("printed.toml");
    std::fs::write(&file, &first.out).unwrap();
    let second = run(&["check-config", "--config", file.to_str().unwrap()]);
    assert_eq!(second.code, Some(0), "{second:?}");
    let settings = |outcome: &Outcome| {
        outcome.out.lines().map(|line| line.rsplit_once('#').unwrap().0.trim().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(settings(&first), settings(&second));
}

#[test]
fn the_file_can_be_named_by_a_variable() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("host.toml");
    std::fs::write(&file, "shards = 3\n").unwrap();
    let outcome = Outcome::of(logtank(&["check-config"]).env("LOGTANK_CONFIG", &file).output().unwrap());
    assert!(line(&outcome, "shards").starts_with('3'), "{outcome:?}");
}

#[test]
fn every_mistake_is_reported_at_once_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("host.toml");
    std::fs::write(&file, "sync = \"sometimes\"\nconnections_max = 0\n").unwrap();
    let arguments =
        ["check-config", "--config", file.to_str().unwrap(), "--busy-poll", "1", "--writer-addr", "15000"];
    let outcome = Outcome::of(logtank(&arguments).env("LOGTANK_SHARDS", "99").output().unwrap());
    assert_eq!(outcome.code, Some(1));
    assert_eq!(outcome.out, "");
    for expected in [
        "host.toml:1: sync: `sometimes` is none of interval, always",
        "flag --busy-poll: busy_poll: `1` is not a duration; write it as in 50us",
        "flag --writer-addr: writer_addr: `15000` is not IP:PORT; write it as in 127.0.0.1:15000",
        "variable LOGTANK_SHARDS: shards: `99` must be 1 to 64",
        "limits: connections_max (0) must be at least 1",
    ] {
        assert!(outcome.err.contains(expected), "{expected:?} is not in {}", outcome.err);
    }
}

#[test]
fn a_mistyped_name_is_refused_with_the_nearest_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("host.toml");
    std::fs::write(&file, "\nsync_intervall = \"1s\"\n").unwrap();
    let outcome = run(&["check-config", "--config", file.to_str().unwrap()]);
    assert_eq!(outcome.code, Some(1));
    let expected = "host.toml:2: there is no setting `sync_intervall`; did you mean `sync_interval`?";
    assert!(outcome.err.contains(expected), "{}", outcome.err);
    let outcome = run(&["check-config", "--sync-intervall", "1s"]);
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.err.contains("--sync-interval"), "{}", outcome.err);
    let outcome = Outcome::of(logtank(&["check-config"]).env("LOGTANK_SHARD", "1").output().unwrap());
    assert_eq!(outcome.code, Some(0));
    assert!(outcome.err.contains("did you mean `LOGTANK_SHARDS`?"), "{}", outcome.err);
}

#[test]
fn an_address_that_others_reach_needs_permission() {
    let outcome = run(&["check-config", "--reader-addr", "0.0.0.0:15100"]);
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.err.contains("--allow-plain-network"), "{}", outcome.err);
    let outcome = run(&["check-config", "--reader-addr", "0.0.0.0:15100", "--allow-plain-network"]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.err.contains("neither encryption nor authentication"), "{}", outcome.err);
    assert!(line(&outcome, "allow_plain_network").starts_with("true"));
    let outcome = run(&["check-config", "--role", "writer", "--reader-addr", "0.0.0.0:15100"]);
    assert_eq!(outcome.code, Some(0), "a port that this role does not open: {outcome:?}");
}

#[test]
fn one_port_for_two_things_is_a_mistake() {
    let outcome = run(&["check-config", "--reader-addr", "127.0.0.1:15000"]);
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.err.contains("127.0.0.1:15000 is also writer_addr"), "{}", outcome.err);
}

#[test]
fn serve_refuses_wrong_settings_before_it_touches_anything() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let outcome = run(&["serve", "--data", data.to_str().unwrap(), "--shards", "none"]);
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.err.contains("flag --shards"), "{}", outcome.err);
    assert!(!data.exists());
}

#[test]
fn every_setting_has_help_and_completions() {
    let outcome = run(&["serve", "--help"]);
    assert_eq!(outcome.code, Some(0));
    for flag in ["--data", "--raw-dir", "--sync", "--shards", "--busy-poll", "--role", "--config"] {
        assert!(outcome.out.contains(flag), "{flag}");
    }
    assert!(outcome.out.contains("LOGTANK_"), "{}", outcome.out);
    for shell in ["bash", "zsh", "fish"] {
        let outcome = run(&["completions", shell]);
        assert_eq!(outcome.code, Some(0));
        assert!(outcome.out.contains("check-config"));
        for [one, other] in [
            ["interval", "always"],
            ["writer", "indexes"],
            ["buffered", "direct"],
            ["warn", "info"],
            ["text", "json"],
        ] {
            let offered = match shell {
                "fish" => format!("{one}\\t''\n{other}\\t''"),
                _ => format!("{one} {other}"),
            };
            assert!(outcome.out.contains(&offered), "{shell} offers {one} and {other}");
        }
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = logtank(&["check-config"]).stdout(writer).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
}
