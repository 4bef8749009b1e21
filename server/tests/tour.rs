//! The README's quick tour, as somebody pastes it.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::program::{Outcome, logtank};

/// The tour's commands but for those that build the program.
fn commands() -> String {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")).unwrap();
    let (_, tour) = readme.split_once("\n## A quick tour\n").unwrap();
    let (_, tour) = tour.split_once("```sh\n").unwrap();
    let (tour, _) = tour.split_once("```").unwrap();
    let (built, rest) = tour.split_once('\n').unwrap();
    assert!(built.starts_with("cargo build"), "{built}");
    rest.to_owned()
}

/// Addresses that nobody listens on, by the ports that the README names.
fn free() -> BTreeMap<&'static str, String> {
    let listeners = ["15000", "15100", "16000", "15200"]
        .map(|port| (port, TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()));
    listeners.into_iter().collect()
}

/// A `logtank` that is the program under test, on other ports than the default ones.
fn place(folder: &Path, at: &BTreeMap<&str, String>) {
    let program = logtank(&[]).get_program().to_str().unwrap().to_owned();
    let [writer, reader, manager, metrics] = ["15000", "15100", "16000", "15200"].map(|port| &at[port]);
    let script = format!(
        "#!/bin/sh\n\
         case \"$1\" in\n\
         serve) exec {program} \"$@\" --shards 1 --writer-addr {writer} --reader-addr {reader} --manager-addr {manager} --metrics-addr {metrics};;\n\
         write) exec {program} \"$@\" --addr {writer};;\n\
         read) exec {program} \"$@\" --addr {reader};;\n\
         status) exec {program} \"$@\" --manager-addr {manager} --metrics-addr {metrics};;\n\
         *) exec {program} \"$@\";;\n\
         esac\n"
    );
    let path = folder.join("logtank");
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
}

#[test]
fn the_quick_tour_works_as_it_is_pasted() {
    let folder = tempfile::tempdir().unwrap();
    let at = free();
    place(folder.path(), &at);
    let mut pasted = commands();
    for (port, address) in &at {
        pasted = pasted.replace(&format!("127.0.0.1:{port}"), address);
    }
    // Without a terminal the shell does not say how each of them ends.
    let pasted = pasted.replace("wait $!", "wait $!; echo \"serve ended with $?\"");
    let mut shell = Command::new("bash");
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("LOGTANK_")) {
        shell.env_remove(name);
    }
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let mut shell = shell
        .env("PATH", path)
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    shell.stdin.take().unwrap().write_all(pasted.as_bytes()).unwrap();
    let outcome = Outcome::of(shell.wait_with_output().unwrap());
    let Outcome { code, out, err } = &outcome;
    assert_eq!(*code, Some(0), "`verify` is the last: {outcome:?}");
    assert_eq!(err.matches("1 records written to tour").count(), 2, "{err}");
    let hello = r#"{"docid":"1","deleted":false,"fields":{"text":"hello"},"variables":{"0":1.5}}"#;
    let red = r#"{"docid":"1","deleted":false,"categories":{"color":"red"}}"#;
    assert!(out.starts_with(&format!("{hello}\n{red}\nready\n")), "{out}\n{err}");
    assert!(
        out.contains("received     2 records") && out.contains("\nlogtank_append_seconds_count"),
        "{out}"
    );
    assert!(out.contains("serve ended with 0\n"), "{out}\n{err}");
    assert!(err.contains(" 0 findings"), "{err}");
}
