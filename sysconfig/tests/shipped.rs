//! What is shipped beside the program.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn text(path: &str) -> String {
    fs::read_to_string(here(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

const UNITS: [&str; 3] = ["logtank", "logtank-writer", "logtank-indexes"];

#[test]
fn all_units_have_the_same_hardening_and_let_io_uring_through() {
    let hardening = |unit: &str| {
        let text = text(&format!("systemd/{unit}.service"));
        let (_, rest) = text.split_once("# Hardening").unwrap();
        rest.split("[Install]").next().unwrap().to_owned()
    };
    for unit in UNITS {
        assert_eq!(hardening(unit), hardening("logtank"), "{unit}");
        assert!(hardening(unit).contains("io_uring_setup io_uring_enter io_uring_register"), "{unit}");
        let text = text(&format!("systemd/{unit}.service"));
        for line in ["Type=notify", "WatchdogSec=2min", "RestartPreventExitStatus=78", "LimitNOFILE=262144"] {
            assert!(text.lines().any(|found| found == line), "{unit}: {line}");
        }
    }
    let weight = |unit: &str| {
        let text = text(&format!("systemd/{unit}.service"));
        let line = text.lines().find_map(|line| line.strip_prefix("IOWeight=")).unwrap();
        line.parse::<u32>().unwrap()
    };
    assert!(weight("logtank-indexes") < weight("logtank-writer"));
    let own_port =
        |unit: &str| text(&format!("systemd/{unit}.service")).contains("\nEnvironment=LOGTANK_METRICS_ADDR=");
    assert!(own_port("logtank-indexes") && !own_port("logtank-writer"), "they run beside each other");
}

#[test]
fn who_may_write_a_folder_is_told_to_wait_for_its_drive() {
    let files = UNITS.map(|unit| format!("systemd/{unit}.service"));
    for file in files.iter().map(String::as_str).chain(["etc/logtank.toml", "../docs/operations.md"]) {
        let text = text(file);
        let count = |word: &str| text.matches(word).count();
        assert!(count("ReadWritePaths=") > 0, "{file}");
        assert!(count("RequiresMountsFor=") >= count("ReadWritePaths="), "{file}");
    }
}

#[test]
fn systemd_understands_the_units() {
    let folder = tempfile::tempdir().unwrap();
    for unit in UNITS {
        let unit_text = text(&format!("systemd/{unit}.service"));
        // The program need not be installed where this runs.
        let unit_text = unit_text.replace("/usr/bin/logtank", "/bin/true");
        fs::write(folder.path().join(format!("{unit}.service")), unit_text).unwrap();
    }
    for unit in UNITS {
        let path = folder.path().join(format!("{unit}.service"));
        let verified = Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&path).output();
        let Ok(verified) = verified else {
            eprintln!("skipped: systemd-analyze is not installed");
            return;
        };
        let said = String::from_utf8_lossy(&verified.stderr);
        assert!(verified.status.success() && !said.contains(unit), "{said}");
        let secure = Command::new("systemd-analyze")
            .args(["security", "--offline=true", "--threshold=20", "--no-pager"])
            .arg(&path)
            .output()
            .unwrap();
        assert!(secure.status.success(), "{}", String::from_utf8_lossy(&secure.stdout));
    }
}

#[test]
fn run_scripts_start_the_host_with_their_class_of_io() {
    let folder = tempfile::tempdir().unwrap();
    // Stand-ins that say how they were called and go on as the real ones do.
    for (name, shift) in [("setuidgid", 1), ("ionice", 2), ("nice", 2)] {
        let more = if name == "ionice" { "[ \"$1\" = -n ] && shift 2\n" } else { "" };
        put(folder.path(), name, &format!("echo {name} \"$@\"\nshift {shift}\n{more}exec \"$@\"\n"));
    }
    put(folder.path(), "logtank", "echo metrics=$LOGTANK_METRICS_ADDR\necho logtank \"$@\"\n");
    let called = |service: &str| {
        // Nothing else of the machine: it may have tools of more than one kind.
        let output = Command::new(here(&format!("daemontools/{service}/run")))
            .env("PATH", folder.path())
            .env_remove("LOGTANK_METRICS_ADDR")
            .output()
            .unwrap();
        let all = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{all}");
        all
    };
    let writer = called("storage-writer");
    assert!(writer.contains("ionice -c 2 -n 0 "), "{writer}");
    assert!(writer.ends_with("logtank serve --config /etc/logtank/logtank.toml --role writer\n"), "{writer}");
    assert!(writer.contains("metrics=\n"), "its port is the one of the settings: {writer}");
    let indexes = called("storage-indexes");
    assert!(indexes.contains("metrics=127.0.0.1:15201\n"), "two processes can't have one port: {indexes}");
    assert!(indexes.contains("ionice -c 3 ") && indexes.contains("nice -n 10 "), "{indexes}");
    assert!(
        indexes.ends_with("logtank serve --config /etc/logtank/logtank.toml --role indexes\n"),
        "{indexes}"
    );
}

#[test]
fn run_scripts_know_each_supervisors_way_to_change_the_user() {
    for service in ["storage-writer", "storage-indexes"] {
        for (name, arguments) in [("setuidgid", 1), ("s6-setuidgid", 1), ("chpst", 2)] {
            let folder = tempfile::tempdir().unwrap();
            put(folder.path(), name, &format!("echo {name} \"$@\"\numask\n"));
            let output = Command::new(here(&format!("daemontools/{service}/run")))
                .env("PATH", folder.path())
                .output()
                .unwrap();
            let all = String::from_utf8_lossy(&output.stdout).into_owned();
            let user = if arguments == 2 { "-u logtank" } else { "logtank" };
            assert!(all.contains(&format!("{name} {user} ionice -c ")) && all.ends_with("0027\n"), "{all}");
        }
        let nothing = tempfile::tempdir().unwrap();
        put(nothing.path(), "ionice", "echo started\n");
        let output = Command::new(here(&format!("daemontools/{service}/run")))
            .env("PATH", nothing.path())
            .output()
            .unwrap();
        let all = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(!output.status.success() && !all.contains("started"), "never as root: {all}");
        assert!(all.contains("none of setuidgid"), "{all}");
    }
}

fn put(folder: &Path, name: &str, body: &str) {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\n{body}")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Names of metrics in a text, without the suffixes of histograms.
fn metrics_in(text: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let words = text
        .split(|c: char| !is_name(c))
        .filter(|word| (word.starts_with("logtank_") || word.starts_with("process_")) && word.len() > 10);
    words.map(|word| word.trim_end_matches("_bucket").to_owned()).collect()
}

#[test]
fn alerts_and_dashboard_name_metrics_that_there_are() {
    let documented = metrics_in(&text("../docs/metrics.md"));
    for path in
        ["prometheus/logtank-alerts.yml", "prometheus/logtank-alerts-test.yml", "grafana/logtank.json"]
    {
        let unknown: Vec<_> = metrics_in(&text(path)).difference(&documented).cloned().collect();
        assert!(unknown.is_empty(), "{path}: {unknown:?}");
    }
}

#[test]
fn every_alert_has_a_test_and_says_what_to_do() {
    let (rules, tests) = (text("prometheus/logtank-alerts.yml"), text("prometheus/logtank-alerts-test.yml"));
    let names: Vec<_> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(names.len() >= 10, "{names:?}");
    assert_eq!(rules.matches("action:").count(), names.len());
    for name in names {
        assert_eq!(tests.matches(&format!("alertname=\"{name}\"")).count(), 1, "{name}");
    }
    let runbook = text("../docs/operations.md");
    for section in rules.split("operations.md, ").skip(1) {
        let section = section.split(['"', '.', ';']).next().unwrap();
        assert!(runbook.contains(&format!("\n## {section}\n")), "the runbook has no section {section}");
    }
}

#[test]
fn udev_reads_the_rules() {
    // The real one, if it is here, on a device that every kernel with loop devices has; it must not be marked.
    let Ok(tested) = Command::new("udevadm")
        .args(["test-builtin", "path_id", "/sys/block/loop0"])
        .stderr(Stdio::null())
        .output()
    else {
        eprintln!("skipped: udevadm is not installed");
        return;
    };
    drop(tested);
    let rules = text("udev/60-logtank.rules");
    let lines = rules.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let key = |pair: &str| {
        let pair = pair.trim();
        pair.contains('"') && pair.ends_with('"') && pair.contains('=')
    };
    for line in lines {
        assert!(line.split(", ").all(key), "{line}");
    }
}
