use std::ffi::OsStr;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use logtank_engine::format::TEMPORARY_PREFIX;
use logtank_engine::io::parent;
use rustix::fs::{Mode, OFlags, mkdirat, openat};
use rustix::io::Errno;
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
    let there = look(path)?.ok_or_else(|| StartupError::FolderMissing { path: path.to_owned() })?;
    check_usable(path, &there)?;
    let owner = there.uid();
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

/// Whether this process may create files in the folder at `path`, if that is there: not as root in another user's.
/// Changes nothing.
///
/// # Errors
/// Why not, and what to do.
pub fn check_owner(path: &Path) -> Result<(), StartupError> {
    look(path)?.map_or(Ok(()), |there| check_usable(path, &there))
}

fn look(path: &Path) -> Result<Option<Metadata>, StartupError> {
    match std::fs::metadata(path) {
        Ok(there) => Ok(Some(there)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(StartupError::Failed { what: format!("looking at {}", path.display()), source }),
    }
}

fn check_usable(path: &Path, there: &Metadata) -> Result<(), StartupError> {
    if !there.is_dir() {
        return Err(StartupError::NotAFolder { path: path.to_owned() });
    }
    let owner = there.uid();
    if geteuid().is_root() && owner != 0 {
        return Err(StartupError::OtherOwner { path: path.to_owned(), owner });
    }
    Ok(())
}

/// An open folder in which this process may create files. What is created in it goes there, whatever its path leads to
/// meanwhile: whoever owns a folder above may change that at any time.
#[derive(Debug)]
pub struct Folder {
    file: File,
    path: PathBuf,
}

impl Folder {
    /// Opens the folder at `path`; creates it if it is missing, durable in the one above it. Blocks.
    ///
    /// # Errors
    /// If it can't be created or opened, the one above it is missing too, or it is another user's and this process is
    /// root's.
    pub fn open_or_create(path: &Path) -> Result<Self, StartupError> {
        Self::checked(path, open_or_create(path)?)
    }

    /// As [`Self::open_or_create`], of one in this folder.
    ///
    /// # Errors
    /// As there.
    pub fn child(&self, name: &str) -> Result<Self, StartupError> {
        let path = self.path.join(name);
        let name = OsStr::new(name);
        let file = match open_at(&self.file, name, OFlags::empty()) {
            Err(Errno::NOENT) => create_at(&self.file, name, &path)?,
            opened => opened.map_err(|errno| not_opened(&path, errno))?,
        };
        Self::checked(&path, file)
    }

    fn checked(path: &Path, file: File) -> Result<Self, StartupError> {
        let there = file.metadata().map_err(|source| StartupError::Failed {
            what: format!("looking at {}", path.display()),
            source,
        })?;
        check_usable(path, &there)?;
        Ok(Self { file, path: path.to_owned() })
    }
}

fn open_or_create(path: &Path) -> Result<File, StartupError> {
    match open_at(rustix::fs::CWD, path.as_os_str(), OFlags::empty()) {
        Err(Errno::NOENT) => {}
        opened => return opened.map_err(|errno| not_opened(path, errno)),
    }
    let Some(name) = path.file_name() else {
        return Err(StartupError::FolderMissing { path: path.to_owned() });
    };
    let above = parent(path);
    match open_at(rustix::fs::CWD, above.as_os_str(), OFlags::empty()) {
        Ok(above) => create_at(&above, name, path),
        Err(Errno::NOENT) => {
            Err(StartupError::ParentMissing { path: path.to_owned(), above: above.to_owned() })
        }
        Err(errno) => Err(not_opened(above, errno)),
    }
}

fn open_at(above: impl std::os::fd::AsFd, name: &OsStr, more: OFlags) -> Result<File, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | more;
    Ok(openat(above, name, flags, Mode::empty())?.into())
}

/// Another process may create it at the same time. Not where a link leads: that is nobody's folder yet.
fn create_at(above: &File, name: &OsStr, path: &Path) -> Result<File, StartupError> {
    match mkdirat(above, name, Mode::from_raw_mode(0o777)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => {
            let what = format!("creating the folder {}", path.display());
            return Err(StartupError::Failed { what, source: errno.into() });
        }
    }
    let file = open_at(above, name, OFlags::NOFOLLOW).map_err(|errno| not_opened(path, errno))?;
    match above.sync_all() {
        Ok(()) => Ok(file),
        Err(source) => Err(StartupError::Failed {
            what: format!("making the folder {} durable", path.display()),
            source,
        }),
    }
}

fn not_opened(path: &Path, errno: Errno) -> StartupError {
    match errno {
        Errno::NOTDIR => StartupError::NotAFolder { path: path.to_owned() },
        Errno::LOOP => StartupError::LinkToNothing { path: path.to_owned() },
        _ => StartupError::Failed {
            what: format!("opening the folder {}", path.display()),
            source: errno.into(),
        },
    }
}

/// Whether this process can read what is in the folder at `path`. Writes nothing: it may be on a read-only filesystem, or of
/// another user.
///
/// # Errors
/// Why not, and what to do.
pub fn check_readable_folder(path: &Path) -> Result<(), StartupError> {
    let there = look(path)?.ok_or_else(|| StartupError::FolderMissing { path: path.to_owned() })?;
    if !there.is_dir() {
        return Err(StartupError::NotAFolder { path: path.to_owned() });
    }
    std::fs::read_dir(path).map(drop).map_err(|source| {
        let what = format!("reading the folder {} as user {}", path.display(), geteuid().as_raw());
        StartupError::Failed { what, source }
    })
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
    fn to_read_a_folder_nothing_is_written_there() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let modified = || std::fs::metadata(folder.path()).unwrap().modified().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o500)).unwrap();
        let before = modified();
        check_readable_folder(folder.path()).unwrap();
        assert_eq!(modified(), before);
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(matches!(check_readable_folder(file.path()), Err(StartupError::NotAFolder { .. })));
        let missing = folder.path().join("data");
        assert!(matches!(check_readable_folder(&missing), Err(StartupError::FolderMissing { .. })));
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
    fn missing_folders_are_created_and_others_opened() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b");
        let missing = Folder::open_or_create(&path);
        assert!(matches!(missing, Err(StartupError::ParentMissing { .. })), "{missing:?}");
        Folder::open_or_create(&folder.path().join("a")).unwrap();
        let made = Folder::open_or_create(&path).unwrap();
        made.child("c").unwrap();
        std::os::unix::fs::symlink("c", path.join("link")).unwrap();
        made.child("link").unwrap();
        made.child("c").unwrap();
        assert_eq!(std::fs::read_dir(&path).unwrap().count(), 2);
        std::fs::write(path.join("file"), "").unwrap();
        assert!(matches!(made.child("file"), Err(StartupError::NotAFolder { .. })));
        let below = Folder::open_or_create(&path.join("file/d"));
        assert!(matches!(below, Err(StartupError::NotAFolder { .. })), "{below:?}");
    }

    #[test]
    fn no_folder_is_created_where_a_link_leads() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path().join("elsewhere"), &link).unwrap();
        Folder::open_or_create(&link).unwrap_err();
        Folder::open_or_create(folder.path()).unwrap().child("link").unwrap_err();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_created_goes_to_the_folder_that_was_opened() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        let opened = Folder::open_or_create(&path).unwrap();
        // As the owner of the folder above can at any time.
        std::fs::rename(&path, folder.path().join("moved")).unwrap();
        std::fs::create_dir(folder.path().join("victim")).unwrap();
        std::os::unix::fs::symlink("victim", &path).unwrap();
        opened.child("raw").unwrap();
        assert!(folder.path().join("moved/raw").is_dir());
        assert_eq!(std::fs::read_dir(folder.path().join("victim")).unwrap().count(), 0);
    }

    #[test]
    fn root_creates_nothing_in_a_folder_of_another_user() {
        if !geteuid().is_root() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let other = folder.path().join("other");
        std::fs::create_dir(&other).unwrap();
        std::os::unix::fs::chown(&other, Some(65534), Some(65534)).unwrap();
        for refused in [
            check_owner(&other),
            check_folder(&other),
            Folder::open_or_create(&other).map(drop),
            Folder::open_or_create(folder.path()).unwrap().child("other").map(drop),
        ] {
            assert!(matches!(refused, Err(StartupError::OtherOwner { owner: 65534, .. })), "{refused:?}");
        }
        assert_eq!(std::fs::read_dir(&other).unwrap().count(), 0);
        check_owner(&folder.path().join("missing")).unwrap();
    }

    #[test]
    fn two_filesystems_are_named() {
        let folder = tempfile::tempdir().unwrap();
        check_one_filesystem(&[folder.path(), folder.path()]).unwrap();
        let error = check_one_filesystem(&[folder.path(), Path::new("/proc")]).unwrap_err().to_string();
        assert!(error.contains("/proc are on different filesystems"), "{error}");
    }
}
