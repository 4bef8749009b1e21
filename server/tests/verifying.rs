//! Verifying what may only be read, and trees in which things are that do not belong there.

use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::program::{run, run_with_input};
use crate::serve::Host;

/// Paths below `folder`, with the time that each was changed at.
fn tree(folder: &Path) -> Vec<(PathBuf, SystemTime)> {
    let mut found = vec![(folder.to_owned(), folder.metadata().unwrap().modified().unwrap())];
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(tree(&path));
        } else {
            let modified = path.symlink_metadata().unwrap().modified().unwrap();
            found.push((path, modified));
        }
    }
    found.sort_unstable();
    found
}

/// Whoever runs the tests may not write there: root because it is another user's, anybody else because of the mode.
fn only_to_read(data: &Path) {
    for (path, _) in tree(data).iter().filter(|(path, _)| path.is_dir()) {
        // Only root may.
        drop(chown(path, Some(65534), Some(65534)));
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o555)).unwrap();
    }
}

fn to_write_again(data: &Path) {
    for (path, _) in tree(data).iter().filter(|(path, _)| path.is_dir()) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
}

#[test]
fn what_may_only_be_read_is_verified_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let host = Host::start(&data, &[]);
    let record = "{\"docid\":\"a\",\"deleted\":true}\n";
    let written = run_with_input(&["write", "--addr", host.address("writer"), "--index", "m"], record);
    assert_eq!(written.code, Some(0), "{written:?}");
    assert_eq!(host.stop().0, Some(0));
    only_to_read(&data);
    let before = tree(&data);
    let outcome = run(&["verify", data.to_str().unwrap()]);
    assert_eq!((outcome.code, outcome.out.as_str()), (Some(0), ""), "{outcome:?}");
    assert!(!outcome.err.contains(" 0 records"), "{outcome:?}");
    assert_eq!(tree(&data), before);
    to_write_again(&data);

    std::fs::create_dir(folder.path().join("elsewhere")).unwrap();
    std::fs::create_dir_all(data.join("indexes")).unwrap();
    symlink(folder.path().join("elsewhere"), data.join("indexes/link")).unwrap();
    std::fs::create_dir(data.join("raw/live/8-0-0.rawlog")).unwrap();
    let outcome = run(&["verify", data.to_str().unwrap()]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    let named =
        |part: &str| outcome.out.lines().any(|line| line.contains(part) && line.contains("belong here"));
    assert!(named("indexes/link") && named("raw/live/8-0-0.rawlog"), "{outcome:?}");
    assert!(outcome.err.contains("2 findings"), "{outcome:?}");
}
