//! Tests that need root and the kernel's block devices say so where they can't run.

use std::path::Path;

/// What is missing to make drives and mount filesystems of them; `None` if nothing is.
fn missing() -> Option<String> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let is_root = status.lines().any(|line| line.starts_with("Uid:\t0\t"));
    if !is_root {
        return Some("root".to_owned());
    }
    let device = ["/dev/fuse", "/dev/loop-control"].into_iter().find(|path| !Path::new(path).exists());
    let programs = ["losetup", "mount", "mkfs.ext4", "mkfs.xfs", "xfs_io", "filefrag"];
    let program = programs.into_iter().find(|program| {
        !["/usr/sbin", "/sbin", "/usr/bin", "/bin"]
            .iter()
            .any(|folder| Path::new(folder).join(program).exists())
    });
    device.or(program).map(str::to_owned)
}

/// Whether tests may make drives and mount filesystems: only with `LOGTANK_TEST_ROOT` set, since that takes root and minutes.
/// If not, says that the test is skipped.
///
/// # Panics
/// If it is set, and something is missing.
#[must_use]
pub fn drives() -> bool {
    if std::env::var_os("LOGTANK_TEST_ROOT").is_none() {
        eprintln!("skipped: makes drives and mounts filesystems; run as root with LOGTANK_TEST_ROOT=1");
        return false;
    }
    if let Some(missing) = missing() {
        panic!(
            "LOGTANK_TEST_ROOT is set, but {missing} is missing: run as root, with e2fsprogs and xfsprogs installed"
        );
    }
    true
}

/// Whether the longer forms were asked for (`LOGTANK_TEST_LONG`).
#[must_use]
pub fn is_long() -> bool {
    std::env::var_os("LOGTANK_TEST_LONG").is_some()
}

/// A number that a variable sets, for more or fewer rounds than usual.
///
/// # Panics
/// If the variable holds something else.
#[must_use]
pub fn number(variable: &str, usual: u32) -> u32 {
    match std::env::var(variable) {
        Ok(text) => {
            text.parse().unwrap_or_else(|_| panic!("{variable} must be a whole number, not {text:?}"))
        }
        Err(_) => usual,
    }
}
