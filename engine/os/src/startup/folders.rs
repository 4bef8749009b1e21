use std::fs::OpenOptions;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use logtank_engine::format::names::TEMPORARY_PREFIX;
use rustix::process::geteuid;

use super::startup_error::StartupError;
use crate::probe::same_filesystem;

/// Whether this process can keep data in the folder at `path`: tries with a temporary file. A full drive is no
/// reason against it, since reading and cleaning go on there.
///
/// # Errors
/// Why not, and what to do.
pub fn check_folder(path: &Path) -> Result<(), StartupError> {
    let user = geteuid().as_raw();
    let there = match std::fs::metadata(path) {
        Ok(there) => there,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(StartupError::FolderMissing { path: path.to_owned() });
        }
        Err(source) => {
            return Err(StartupError::Failed { what: format!("looking at {}", path.display()), source });
        }
    };
    if !there.is_dir() {
        return Err(StartupError::NotAFolder { path: path.to_owned() });
    }
    let owner = there.uid();
    if user == 0 && owner != 0 {
        return Err(StartupError::OtherOwner { path: path.to_owned(), owner });
    }
    match try_to_write(path) {
        Ok(()) => Ok(()),
        Err(error) => match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Ok(()),
            ErrorKind::ReadOnlyFilesystem => Err(StartupError::ReadOnly { path: path.to_owned() }),
            ErrorKind::PermissionDenied => {
                Err(StartupError::NotWritable { path: path.to_owned(), owner, user, source: error })
            }
            _ => Err(StartupError::Failed {
                what: format!("writing a file in {}", path.display()),
                source: error,
            }),
        },
    }
}

fn try_to_write(folder: &Path) -> io::Result<()> {
    let path = folder.join(format!("{TEMPORARY_PREFIX}check-{:016x}", crate::random::salt().0));
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    std::fs::remove_file(&path)
}

/// Whether files can be renamed from each of the folders to the others.
///
/// # Errors
/// The first two between which they can't.
pub fn check_one_filesystem(folders: &[&Path]) -> Result<(), StartupError> {
    for pair in folders.windows(2) {
        let failed =
            |source| StartupError::Failed { what: format!("looking at {}", pair[1].display()), source };
        if !same_filesystem(pair[0], pair[1]).map_err(failed)? {
            return Err(StartupError::TwoFilesystems { one: pair[0].to_owned(), other: pair[1].to_owned() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_good_folder_passes_and_stays_empty() {
        let folder = tempfile::tempdir().unwrap();
        check_folder(folder.path()).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_is_missing_or_not_a_folder_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        assert!(matches!(check_folder(&path), Err(StartupError::FolderMissing { .. })));
        std::fs::write(&path, "").unwrap();
        assert!(matches!(check_folder(&path), Err(StartupError::NotAFolder { .. })));
    }

    #[test]
    fn two_filesystems_are_named() {
        let folder = tempfile::tempdir().unwrap();
        check_one_filesystem(&[folder.path(), folder.path()]).unwrap();
        let error = check_one_filesystem(&[folder.path(), Path::new("/proc")]).unwrap_err().to_string();
        assert!(error.contains("/proc are on different filesystems"), "{error}");
    }
}
