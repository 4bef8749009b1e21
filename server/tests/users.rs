//! Whose folders the program writes in. What needs root is tried where the tests run as root.

use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};

use crate::program::{Outcome, run};

/// The user who has no files by convention.
const OTHER: u32 = 65534;

fn is_root() -> bool {
    tempfile::tempdir().unwrap().path().metadata().unwrap().uid() == 0
}

fn folder_of(owner: u32, path: PathBuf) {
    std::fs::create_dir_all(&path).unwrap();
    chown(path, Some(owner), Some(owner)).unwrap();
}

/// Paths below `folder`, with their owners.
fn tree(folder: &Path) -> Vec<(PathBuf, u32)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        found.push((entry.path(), entry.metadata().unwrap().uid()));
        if entry.file_type().unwrap().is_dir() {
            found.extend(tree(&entry.path()));
        }
    }
    found.sort_unstable();
    found
}

fn commands(data: &Path, raw: Option<&Path>) -> Vec<(&'static str, Outcome)> {
    let data = data.to_str().unwrap();
    let raw = raw.map_or(Vec::new(), |raw| vec!["--raw-dir", raw.to_str().unwrap()]);
    let ports = ["--writer-addr", "--reader-addr", "--manager-addr", "--metrics-addr"];
    let ports: Vec<&str> = ports.into_iter().flat_map(|port| [port, "127.0.0.1:0"]).collect();
    vec![
        ("serve", run(&[&["serve", "--data", data], &raw[..], &ports[..]].concat())),
        ("drain", run(&[&["drain", "--data", data], &raw[..]].concat())),
        ("repair", run(&[&["repair", data], &raw[..]].concat())),
    ]
}

#[test]
fn root_leaves_other_users_folders_as_they_were() {
    if !is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (data, raw) = (folder.path().join("data"), folder.path().join("drive"));
    // Folders that are there; those that are named last are another user's.
    let trees = [
        (vec!["data"], None),
        (vec!["data", "data/raw"], None),
        (vec!["data", "data/raw", "data/raw/live"], None),
        (vec!["data", "data/indexes"], None),
        (vec!["drive"], Some(raw.as_path())),
        (vec!["drive", "data"], Some(raw.as_path())),
    ];
    for (folders, raw) in trees {
        for name in &folders {
            let owner = if Some(name) == folders.last() { OTHER } else { 0 };
            folder_of(owner, folder.path().join(name));
        }
        let before = tree(folder.path());
        for (command, outcome) in commands(&data, raw) {
            assert_eq!(outcome.code, Some(78), "{command}: {outcome:?}");
            // What is to be there already is looked for first.
            let absent = ["is no data directory", "data is not there"];
            let missing = command != "serve" && absent.iter().any(|words| outcome.err.contains(words));
            assert!(missing || outcome.err.contains("belongs to user 65534"), "{command}: {outcome:?}");
            assert_eq!(tree(folder.path()), before, "{command}, {folders:?}");
        }
        for name in ["data", "drive"] {
            let _ = std::fs::remove_dir_all(folder.path().join(name));
        }
    }
}

#[test]
fn what_a_host_creates_is_for_its_user_and_group() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    // As daemontools and shells leave it.
    let mut command = crate::program::logtank(&["serve", "--print-addresses"]);
    command.arg("--data").arg(&data);
    for port in ["--writer-addr", "--reader-addr", "--manager-addr", "--metrics-addr"] {
        command.args([port, "127.0.0.1:0"]);
    }
    let script = "umask 000; exec \"$@\"";
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", script, "sh"]).arg(command.get_program()).args(command.get_args());
    let mut host = crate::serve::Host::spawn(shell);
    host.wait_until_started();
    let (code, log) = host.stop();
    assert_eq!(code, Some(0), "{log}");
    let warned = log.lines().filter(|line| line.contains("running as root")).count();
    assert_eq!(warned, usize::from(is_root()), "{log}");
    let paths = tree(folder.path());
    assert!(paths.len() > 8, "{paths:?}");
    for (path, _) in paths {
        let mode = path.symlink_metadata().unwrap().mode() & 0o777;
        assert_eq!(mode & 0o027, 0, "{} is {mode:o}", path.display());
    }
}

#[test]
fn a_secret_that_others_may_read_is_warned_of() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let key = folder.path().join("token.key");
    let drained = || run(&["drain", "--data", data]);
    crate::serve::Host::start(folder.path(), &[]).stop();
    let first = drained();
    assert!(first.code == Some(0) && !first.err.contains("token.key"), "{first:?}");
    for (mode, warns) in [(0o644, true), (0o640, true), (0o600, false)] {
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(mode)).unwrap();
        let outcome = drained();
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        assert_eq!(outcome.err.contains("chmod 600"), warns, "{mode:o}: {outcome:?}");
    }
}
