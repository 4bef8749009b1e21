//! One host's data: a disk, and where everything is on it.

use std::fmt::Display;
use std::path::Path;

use crate::error::{Error, Unsettled};
use crate::format::layout::Layout;
use crate::io::disk::{self, Disk, DiskResult, Entry};

/// How often what is looked at may change meanwhile before that is given up.
pub const LOOKS_MAX: u32 = 10;

/// An error of a look at files that others may move at any time.
pub trait MayVanish: From<Unsettled> + Display {
    /// Whether a file or folder was not there: often another job moved it, and a fresh look finds it.
    fn is_not_found(&self) -> bool;
}

impl MayVanish for Error {
    fn is_not_found(&self) -> bool {
        Self::is_not_found(self)
    }
}

/// One host's data: a disk, and where everything is on it.
#[derive(Clone, Debug)]
pub struct Store<D> {
    disk: D,
    layout: Layout,
}

impl<D> Store<D> {
    /// What `layout` names, on `disk`. Looks at nothing yet.
    #[must_use]
    pub fn new(disk: D, layout: Layout) -> Self {
        Self { disk, layout }
    }

    /// Where it is.
    #[must_use]
    pub fn disk(&self) -> &D {
        &self.disk
    }

    /// Where everything is on it.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }
}

impl<D: Disk> Store<D> {
    /// Takes a look at what others may be moving, and again until it succeeds: it has to if it gives `None`, because what it saw
    /// was not there at one moment, or if something that it had seen was not found any more. `path` is what is looked at.
    ///
    /// # Errors
    /// What the look fails with otherwise; [`Unsettled`] after [`LOOKS_MAX`] looks.
    pub async fn settle<T, E: MayVanish>(
        &self,
        path: &Path,
        mut look: impl AsyncFnMut() -> Result<Option<T>, E>,
    ) -> Result<T, E> {
        let mut missing = None;
        for _ in 0..LOOKS_MAX {
            match look().await {
                Ok(Some(seen)) => return Ok(seen),
                Ok(None) => missing = None,
                Err(error) if error.is_not_found() => missing = Some(error.to_string()),
                Err(error) => return Err(error),
            }
        }
        Err(Unsettled { path: path.to_owned(), looks: LOOKS_MAX, missing }.into())
    }

    /// Entries of a folder, sorted by name; none if there is no such folder.
    ///
    /// # Errors
    /// The disk's.
    pub async fn list(&self, folder: &Path) -> DiskResult<Vec<Entry>> {
        match self.disk.list(folder).await {
            Err(error) if error.is_not_found() => Ok(Vec::new()),
            entries => entries,
        }
    }

    /// Removes a file; whether it was there. Durable after its folder is synced.
    ///
    /// # Errors
    /// The disk's.
    pub async fn remove(&self, path: &Path) -> DiskResult<bool> {
        match self.disk.remove_file(path).await {
            Ok(()) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Renames, replacing what had the new name; whether there was anything to rename. The new name's folder must be there.
    /// Durable after both folders are synced.
    ///
    /// # Errors
    /// The disk's.
    pub async fn rename(&self, from: &Path, to: &Path) -> DiskResult<bool> {
        match self.disk.rename(from, to).await {
            Ok(()) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Reads a whole file that is known to be small; `None` if there is none.
    ///
    /// # Errors
    /// The disk's, or `InvalidData` if the file is longer than `bytes_max`.
    pub async fn read_small(&self, path: &Path, bytes_max: usize) -> DiskResult<Option<Vec<u8>>> {
        match disk::read_small(&self.disk, path, bytes_max).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests;
