use std::fs;
use std::io;
use std::path::{Path, PathBuf};

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
        let real = self.real(path);
        let write = || {
            let folder = real.parent().ok_or(io::ErrorKind::InvalidInput)?;
            fs::create_dir_all(folder)?;
            let name = real.file_name().ok_or(io::ErrorKind::InvalidInput)?;
            let mut temporary = std::ffi::OsString::from(".");
            temporary.push(name);
            let temporary = folder.join(temporary);
            let mut file = fs::File::create(&temporary)?;
            io::Write::write_all(&mut file, text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&temporary, &real)?;
            fs::File::open(folder)?.sync_all()
        };
        write().map_err(|source| TuneError::Write { path: path.to_owned(), source })
    }
}
