use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags, openat, renameat, unlinkat};

use crate::TuneError;

/// Where the machine's files are: below `/`, or below the folder that a test made.
#[derive(Clone, Debug)]
pub struct System {
    root: PathBuf,
}

impl Default for System {
    fn default() -> Self {
        Self::below("/")
    }
}

impl System {
    /// A machine whose /sys, /proc, /etc … lie below `root`.
    #[must_use]
    pub fn below(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Where `path`, absolute, really is.
    #[must_use]
    pub fn real(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// The text of a file, without white space at its ends.
    ///
    /// # Errors
    /// [`TuneError::Read`].
    pub fn read(&self, path: impl AsRef<Path>) -> Result<String, TuneError> {
        let path = path.as_ref();
        match fs::read_to_string(self.real(path)) {
            Ok(text) => Ok(text.trim().to_owned()),
            Err(source) => Err(TuneError::Read { path: path.to_owned(), source }),
        }
    }

    /// A number that is all of a file.
    ///
    /// # Errors
    /// [`TuneError::Read`], also if it holds something else.
    pub fn number(&self, path: impl AsRef<Path>) -> Result<u64, TuneError> {
        let text = self.read(&path)?;
        text.parse().map_err(|_| TuneError::Read {
            path: path.as_ref().to_owned(),
            source: io::Error::new(io::ErrorKind::InvalidData, format!("`{text}` is no number")),
        })
    }

    /// Whether there is a file or folder of this name.
    #[must_use]
    pub fn exists(&self, path: impl AsRef<Path>) -> bool {
        self.real(path.as_ref()).exists()
    }

    /// Names in a folder, in order; none if it is not there.
    #[must_use]
    pub fn list(&self, path: impl AsRef<Path>) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.real(path.as_ref())) else { return Vec::new() };
        let mut names: Vec<String> =
            entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
        names.sort_unstable();
        names
    }

    /// Where a link leads in the end, as a path below the root.
    ///
    /// # Errors
    /// [`TuneError::Read`].
    pub fn follow(&self, path: impl AsRef<Path>) -> Result<PathBuf, TuneError> {
        let path = path.as_ref();
        let error = |source| TuneError::Read { path: path.to_owned(), source };
        let root = self.root.canonicalize().map_err(error)?;
        let end = self.real(path).canonicalize().map_err(error)?;
        let below = end.strip_prefix(&root).unwrap_or(&end);
        Ok(Path::new("/").join(below))
    }

    /// Sets a value of the running kernel.
    ///
    /// # Errors
    /// [`TuneError::Write`].
    pub fn set(&self, path: &Path, value: &str) -> Result<(), TuneError> {
        // Not created: a setting that is not there is an error, not a new file.
        let written = fs::OpenOptions::new()
            .write(true)
            .truncate(true)
            .open(self.real(path))
            .and_then(|mut file| io::Write::write_all(&mut file, value.as_bytes()));
        written.map_err(|source| TuneError::Write { path: path.to_owned(), source })
    }

    /// Writes a file that stays, whole or not at all.
    ///
    /// # Errors
    /// [`TuneError::Write`].
    pub fn keep(&self, path: &Path, text: &str) -> Result<(), TuneError> {
        self.publish(path, text, |_, _| Ok(()))
    }

    /// Writes a file that stays, whole or not at all, and gives it to the owner of its folder. Safe for root in a folder
    /// of another user: no name that this user may have made there is followed or changed, but for the file's own, which
    /// is replaced.
    ///
    /// # Errors
    /// [`TuneError::Write`].
    pub fn keep_for_owner(&self, path: &Path, text: &str) -> Result<(), TuneError> {
        self.publish(path, text, |folder, file| {
            let (owner, made) = (folder.metadata()?, file.metadata()?);
            if (owner.uid(), owner.gid()) == (made.uid(), made.gid()) {
                return Ok(());
            }
            fchown(file, Some(owner.uid()), Some(owner.gid()))
        })
    }

    fn publish(
        &self,
        path: &Path,
        text: &str,
        own: impl Fn(&fs::File, &fs::File) -> io::Result<()>,
    ) -> Result<(), TuneError> {
        let real = self.real(path);
        let write = || -> io::Result<()> {
            let folder = real.parent().ok_or(io::ErrorKind::InvalidInput)?;
            let name = real.file_name().ok_or(io::ErrorKind::InvalidInput)?;
            fs::create_dir_all(folder)?;
            // One folder from here on, whatever its path leads to later.
            let folder = fs::File::open(folder)?;
            let number = RandomState::new().build_hasher().finish();
            let temporary = format!(".{}.{number:016x}", name.to_string_lossy());
            // Never a file that is there, nor where a link leads.
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let mut file: fs::File = openat(&folder, &*temporary, flags, Mode::from_raw_mode(0o644))?.into();
            let written = io::Write::write_all(&mut file, text.as_bytes())
                .and_then(|()| own(&folder, &file))
                .and_then(|()| file.sync_all())
                .and_then(|()| Ok(renameat(&folder, &*temporary, &folder, name)?));
            if written.is_err() {
                // The first error counts.
                let _ = unlinkat(&folder, &*temporary, AtFlags::empty());
            }
            written?;
            folder.sync_all()
        };
        write().map_err(|source| TuneError::Write { path: path.to_owned(), source })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_kept_file_follows_no_link_in_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let victim = folder.path().join("victim");
        fs::write(&victim, "untouched").unwrap();
        let data = folder.path().join("data");
        fs::create_dir(&data).unwrap();
        // What was once the name of the file that is not whole yet, and the name itself.
        for name in [".tuned.toml", "tuned.toml"] {
            symlink(&victim, data.join(name)).unwrap();
        }
        let before = fs::metadata(&victim).unwrap();
        System::default().keep_for_owner(&data.join("tuned.toml"), "text").unwrap();
        let after = fs::metadata(&victim).unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "untouched");
        assert_eq!((before.uid(), before.ino()), (after.uid(), after.ino()));
        let kept = data.join("tuned.toml");
        assert!(fs::symlink_metadata(&kept).unwrap().is_file());
        assert_eq!(fs::read_to_string(&kept).unwrap(), "text");
        assert_eq!(fs::read_dir(&data).unwrap().count(), 2, "nothing half-made stays");
    }

    #[test]
    fn a_kept_file_belongs_to_the_owner_of_its_folder() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let data = tempfile::tempdir().unwrap();
        std::os::unix::fs::chown(data.path(), Some(65534), Some(65534)).unwrap();
        System::default().keep_for_owner(&data.path().join("tuned.toml"), "text").unwrap();
        let kept = fs::metadata(data.path().join("tuned.toml")).unwrap();
        assert_eq!((kept.uid(), kept.gid(), kept.mode() & 0o777), (65534, 65534, 0o644));
    }

    #[test]
    fn a_file_that_can_not_be_kept_leaves_nothing() {
        let data = tempfile::tempdir().unwrap();
        fs::create_dir(data.path().join("tuned.toml")).unwrap();
        System::default().keep(&data.path().join("tuned.toml"), "text").unwrap_err();
        assert_eq!(fs::read_dir(data.path()).unwrap().count(), 1);
    }
}
