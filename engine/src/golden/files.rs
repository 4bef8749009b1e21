//! The folder of the golden files.

use std::path::{Path, PathBuf};

use crate::testing::MemDisk;

pub(super) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/own")
}

pub(super) fn read(path: impl AsRef<Path>) -> Vec<u8> {
    let path = folder().join(path);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Names of what is in a folder of golden files, in order.
pub(super) fn names(path: impl AsRef<Path>) -> Vec<String> {
    let entries = std::fs::read_dir(folder().join(path)).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    names
}

/// A golden file on a disk of its own, at `to`.
pub(super) fn put(path: impl AsRef<Path>, to: impl AsRef<Path>) -> MemDisk {
    let disk = MemDisk::new();
    disk.put(to, &read(path));
    disk
}

/// What is written today is what was written when the file was made. Where a format changes on purpose, its version
/// does too, and the new bytes become a golden file beside the old one: with the variable `GOLDEN_NEW` set, a file that
/// is not there yet is made.
pub(super) fn same(path: &str, written: &[u8]) {
    let golden = folder().join(path);
    if !golden.exists() && std::env::var_os("GOLDEN_NEW").is_some() {
        std::fs::create_dir_all(golden.parent().unwrap()).unwrap();
        std::fs::write(&golden, written).unwrap();
    }
    assert!(read(path) == written, "{path} is not what is written now: {:02x?}", written);
}
