//! The original keeps its raw log in the data directory, wherever this host has its own.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::Context;
use logtank_engine::format::{Layout, RawName};

/// Sees to it that nothing is in `raw/live/` of the data directory while this host's raw log is elsewhere: what was
/// received there would never be dealt, and nobody would hear of it.
///
/// # Errors
/// If something is there, with what to do; or the system's.
pub(super) fn check(layout: &Layout) -> anyhow::Result<()> {
    let (original, ours) = (layout.original_live(), layout.raw_live());
    let entries = match fs::read_dir(&original) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(()),
        entries => entries.with_context(|| original.display().to_string())?,
    };
    // Also where one is a link to the other, or is mounted there.
    if is_same(&original, &ours)? {
        return Ok(());
    }
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_str().and_then(RawName::parse);
        let received = matches!(name, Some(RawName::Legacy(_) | RawName::Segment { .. }));
        anyhow::ensure!(
            !received || entry.metadata()?.len() == 0,
            "{} was received while the raw log was in the data directory, and is not dealt; with the raw log in {} it would be \
             passed over: move what is in {} there while no host runs, or leave out --raw-dir",
            entry.path().display(),
            ours.display(),
            original.display()
        );
    }
    Ok(())
}

fn is_same(one: &Path, other: &Path) -> anyhow::Result<bool> {
    let number = |path: &Path| match fs::metadata(path) {
        Ok(found) => Ok(Some((found.dev(), found.ino()))),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error).with_context(|| path.display().to_string()),
    };
    let one = number(one)?;
    Ok(one.is_some() && one == number(other)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_received_elsewhere_is_not_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let (data, drive) = (folder.path().join("data"), folder.path().join("drive"));
        let layout = Layout::new(&data, Some(&drive));
        check(&layout).unwrap();
        fs::create_dir_all(layout.original_live()).unwrap();
        fs::create_dir_all(layout.raw_live()).unwrap();
        fs::write(layout.original_live().join("1795343512642.raw"), b"").unwrap();
        fs::write(layout.original_live().join("ready-1.rawlog"), b"x").unwrap();
        check(&layout).unwrap();
        for name in ["1795343512642.raw", "1795343512642-0-0.rawlog"] {
            let path = layout.original_live().join(name);
            fs::write(&path, b"x").unwrap();
            let error = check(&layout).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains("--raw-dir"), "{error}");
            check(&Layout::new(&data, None)).unwrap();
            fs::remove_file(path).unwrap();
        }
        fs::remove_dir_all(data.join("raw")).unwrap();
        std::os::unix::fs::symlink(layout.raw(), data.join("raw")).unwrap();
        fs::write(layout.raw_live().join("1795343512642.raw"), b"x").unwrap();
        check(&layout).unwrap();
    }
}
