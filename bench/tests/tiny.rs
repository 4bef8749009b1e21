//! Every subcommand once, as small as it gets, against the host of this workspace: so that the bench does not rot.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::path::Path;
use std::process::{Command, Output};

use logtank_tests::host::{Host, program};
use serde_json::Value;

fn bench(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_logtank-bench"));
    let output = command.args(arguments).output().unwrap();
    assert!(
        output.status.success(),
        "{arguments:?}: {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_load_is_measured_and_recovers_as_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let mut host = Host::started(folder.path(), &["--shards", "1"]);
    let (writer, reader) = (host.writer().to_string(), host.reader().to_string());
    let result = folder.path().join("result.json");
    for engine in ["uring", "epoll"] {
        let output = bench(&[
            "load",
            "--addr",
            &writer,
            "--reader-addr",
            &reader,
            "--verify",
            "--engine",
            engine,
            "--connections",
            "8",
            "--batch",
            "3",
            "--indexes",
            "5",
            "--documents",
            "50",
            "--updates",
            "20",
            "--deletes",
            "10",
            "--skew",
            "1",
            "--warm-up",
            "100ms",
            "--duration",
            "300ms",
            "--json",
            text(&result),
        ]);
        assert!(String::from_utf8_lossy(&output.stdout).contains("verified: "));
        let measured = json(&result);
        assert!(measured["records"].as_u64().unwrap() > 0 && measured["loop_kind"] == "closed");
        assert!(measured["latency_us"]["p50"].as_f64().unwrap() > 0.0);
    }
    bench(&[
        "load",
        "--addr",
        &writer,
        "--connections",
        "4",
        "--rate",
        "500",
        "--warm-up",
        "0s",
        "--duration",
        "600ms",
        "--json",
        text(&result),
    ]);
    let measured = json(&result);
    assert_eq!(measured["records"], 300, "each request that was due was sent");

    bench(&["recover", "--addr", &reader, "bench-0", "--json", text(&result)]);
    assert!(json(&result)[0]["bytes"].as_u64().unwrap() > 1000);
    host.stop();
}

#[test]
fn what_was_acknowledged_and_is_gone_is_found() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let written = Host::started(folders[0].path(), &["--shards", "1"]);
    let empty = Host::started(folders[1].path(), &["--shards", "1"]);
    let output = Command::new(env!("CARGO_BIN_EXE_logtank-bench"))
        .args(["load", "--verify", "--duration", "200ms", "--warm-up", "0s", "--connections", "2"])
        .args(["--addr", &written.writer().to_string(), "--reader-addr", &empty.reader().to_string()])
        .output()
        .unwrap();
    assert!(!output.status.success());
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("documents recover otherwise than acknowledged"), "{error}");
}

#[test]
fn a_comparison_has_goals_and_reports() {
    let folder = tempfile::tempdir().unwrap();
    let dir = text(folder.path());
    let (result, page, table) =
        (folder.path().join("r.json"), folder.path().join("r.html"), folder.path().join("r.md"));
    let logtank = text(program()).to_owned();
    // All of them take minutes.
    let long = std::env::var_os("LOGTANK_TEST_LONG").is_some();
    let workloads = if long { "A,D,E,G" } else { "A" };
    bench(&[
        "compare",
        "--workloads",
        workloads,
        "--rounds",
        "1",
        "--seconds",
        "0.1",
        "--long-seconds",
        "1",
        "--peers",
        "logtank,echo,redis",
        "--scale",
        "0.004",
        "--connections",
        if long { "1,64" } else { "64" },
        "--dir",
        dir,
        "--logtank",
        &logtank,
        "--json",
        text(&result),
        "--html",
        text(&page),
        "--markdown",
        text(&table),
    ]);
    let results = json(&result);
    let goals = results["goals"].as_array().unwrap();
    let all = [
        "A: rate at 64 connections, of the better echo's",
        "A: p50 at 1 connection with busy-poll",
        "D: recovery of a live index",
        "E: dealing of 1000 indexes",
        "G: processor time per record",
    ];
    for part in if long { &all[..] } else { &all[..1] } {
        let goal = goals.iter().find(|goal| goal["name"].as_str().unwrap().starts_with(part));
        let goal = goal.unwrap_or_else(|| panic!("no goal {part}: {goals:?}"));
        assert!(
            goal["value"].as_f64().unwrap() > 0.0 && goal["met"].is_boolean() && goal["goal"].is_string()
        );
    }
    let html = std::fs::read_to_string(&page).unwrap();
    assert!(html.contains("<svg") && !html.contains("<script"), "charts, and nothing from elsewhere");
    assert!(std::fs::read_to_string(&table).unwrap().contains("### Goals"));

    let beside = bench(&["report", text(&result), text(&result)]);
    assert!(String::from_utf8_lossy(&beside.stdout).contains("+0 %"));
    let empty_page = folder.path().join("PAGE.md");
    std::fs::write(&empty_page, "above\n<!-- measured: begin -->\n<!-- measured: end -->\nbelow\n").unwrap();
    bench(&["report", "--performance", text(&result), text(&empty_page)]);
    let filled = std::fs::read_to_string(&empty_page).unwrap();
    assert!(filled.starts_with("above\n") && filled.ends_with("below\n") && filled.contains("### Goals"));

    bench(&["deal", "--indexes", "1,50", "--records", "200", "--dir", dir, "--logtank", &logtank]);
    let left = std::fs::read_dir(dir).unwrap().filter_map(Result::ok).map(|entry| entry.file_name());
    assert_eq!(
        left.filter(|name| name.to_string_lossy().starts_with("bench-")).count(),
        0,
        "nothing is left"
    );
}

#[test]
fn a_shard_is_measured_beside_an_echo_on_the_same_ring() {
    let folder = tempfile::tempdir().unwrap();
    let kinds = ["echo", "buffered-inline-interval-single", "buffered-ring-interval"];
    let sizes = ["--connections", "3", "--records", "2", "--seconds", "2", "--rounds", "1"];
    let output = bench(&[&["ring", "--dir", text(folder.path())], &sizes[..], &kinds[..]].concat());
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    for kind in kinds {
        let line = told.lines().rfind(|line| line.starts_with(kind)).unwrap();
        let rate: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        assert!(rate > 0.0, "{told}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left");
}
