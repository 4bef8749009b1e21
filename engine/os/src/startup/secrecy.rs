use std::fs::Metadata;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::Mode;
use rustix::process::{geteuid, umask};

/// What other users than owner and group never get, and what the group gets no further than reading.
const KEPT_FROM_OTHERS: u32 = 0o027;

/// From here on, files that this process creates are for its user, and for its group to read, whatever was inherited; a
/// stricter mask stays.
pub fn keep_files_private() {
    // It can only be asked for by setting it.
    let inherited = umask(Mode::from_raw_mode(0o077));
    umask(inherited | Mode::from_raw_mode(KEPT_FROM_OTHERS));
}

/// Whether this process runs as root, which it needs for nothing.
#[must_use]
pub fn runs_as_root() -> bool {
    geteuid().is_root()
}

/// The mode of a file that holds a secret, if more users than need to may read or change it: others; or a group, unless
/// the file is another user's and this process must get it by its group.
///
/// # Errors
/// The system's.
pub fn exposed_mode(path: &Path) -> io::Result<Option<u32>> {
    Ok(exposed(&std::fs::metadata(path)?, geteuid().as_raw()))
}

fn exposed(there: &Metadata, user: u32) -> Option<u32> {
    let mode = there.permissions().mode() & 0o777;
    let for_others = if there.uid() == user { 0o077 } else { 0o027 };
    (mode & for_others != 0).then_some(mode)
}

/// The nearest folder above `path`, or `path` itself, in whose place or content another user than root can put something
/// else, with its owner's number. For root, who follows what others have put there.
///
/// # Errors
/// The system's.
pub fn reached_by_others(path: &Path) -> io::Result<Option<(PathBuf, u32)>> {
    let real = path.canonicalize()?;
    for folder in real.ancestors() {
        let there = std::fs::metadata(folder)?;
        let mode = there.permissions().mode();
        // In a sticky folder (/tmp) others can't replace what they don't own.
        if there.uid() != 0 || (mode & 0o002 != 0 && mode & 0o1000 == 0) {
            return Ok(Some((folder.to_owned(), there.uid())));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;

    use super::*;

    #[test]
    fn a_secret_that_others_may_read_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, "x").unwrap();
        let owner = path.metadata().unwrap().uid();
        let exposed = |mode, user| {
            std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            exposed(&path.metadata().unwrap(), user)
        };
        for mode in [0o600, 0o400] {
            assert_eq!(exposed(mode, owner), None, "{mode:o}");
        }
        for mode in [0o644, 0o640, 0o604, 0o660, 0o602] {
            assert_eq!(exposed(mode, owner), Some(mode), "{mode:o}");
        }
        let other = owner + 1;
        assert_eq!(exposed(0o640, other), None, "it gets the key by its group");
        for mode in [0o644, 0o660] {
            assert_eq!(exposed(mode, other), Some(mode), "{mode:o}");
        }
    }

    #[test]
    fn a_folder_that_others_can_replace_is_noticed() {
        if !runs_as_root() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("home/data");
        std::fs::create_dir_all(&data).unwrap();
        assert_eq!(reached_by_others(&data).unwrap(), None);
        let home = data.parent().unwrap();
        std::os::unix::fs::chown(home, Some(65534), None).unwrap();
        assert_eq!(reached_by_others(&data).unwrap(), Some((home.canonicalize().unwrap(), 65534)));
        std::fs::set_permissions(&data, Permissions::from_mode(0o777)).unwrap();
        assert_eq!(reached_by_others(&data).unwrap(), Some((data.canonicalize().unwrap(), 0)));
        std::fs::set_permissions(&data, Permissions::from_mode(0o1777)).unwrap();
        std::os::unix::fs::chown(home, Some(0), None).unwrap();
        assert_eq!(reached_by_others(&data).unwrap(), None);
    }
}
