//! One host's data: a disk, and where everything is on it.

pub(crate) mod aside;

use std::fmt::Display;
use std::path::Path;

use crate::error::{Error, Unsettled};
use crate::format::layout::Layout;
use crate::io::buffers::AlignedBuf;
use crate::io::disk::{self, Disk, DiskFile, DiskResult, Entry, Transfer};

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

/// What a file that is known to be small holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Small {
    /// There is none.
    Missing,
    /// It is longer than such a file can be.
    TooLong,
    /// All its bytes.
    Whole(Vec<u8>),
}

impl Small {
    /// The bytes; none of a file that is missing or too long to mean anything.
    #[must_use]
    pub fn or_empty(self) -> Vec<u8> {
        match self {
            Self::Missing | Self::TooLong => Vec::new(),
            Self::Whole(bytes) => bytes,
        }
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
    pub const fn disk(&self) -> &D {
        &self.disk
    }

    /// Where everything is on it.
    #[must_use]
    pub const fn layout(&self) -> &Layout {
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

    /// Reads a whole file that is known to be small.
    ///
    /// # Errors
    /// The disk's.
    pub async fn read_small(&self, path: &Path, bytes_max: usize) -> DiskResult<Small> {
        let file = match self.disk.open(path, Transfer::Cached).await {
            Err(error) if error.is_not_found() => return Ok(Small::Missing),
            file => file?,
        };
        let (result, buffer) = file.read_at(AlignedBuf::with_capacity(bytes_max + 1), 0).await;
        result?;
        Ok(if buffer.len() > bytes_max { Small::TooLong } else { Small::Whole(buffer.to_vec()) })
    }

    /// Gives a file its bytes in one step: writes them under a temporary name, syncs them, renames, and syncs the folder.
    /// When it returns, the file is there whole and durable; a crash before leaves at most a temporary file, which
    /// [`crate::format::names::is_temporary`] recognizes. Two at once on one file are in each other's way.
    ///
    /// # Errors
    /// The disk's. The file then holds what it held before; if syncing the folder failed, it holds the new bytes, and nobody
    /// knows for how long.
    pub async fn publish(&self, path: &Path, bytes: &[u8]) -> DiskResult<()> {
        let temporary = disk::temporary_beside(path);
        self.remove(&temporary).await?;
        let file = self.disk.create(&temporary, Transfer::Cached).await?;
        self.publish_from(file, &temporary, path, bytes).await
    }

    /// As [`Self::publish`], unless another is at it, which publishes the same: then it does nothing.
    ///
    /// # Errors
    /// As there.
    pub async fn publish_unless_begun(&self, path: &Path, bytes: &[u8]) -> DiskResult<()> {
        let temporary = disk::temporary_beside(path);
        let file = match self.disk.create(&temporary, Transfer::Cached).await {
            // Not removed and made anew: whoever made it may be about to rename it.
            Err(error) if error.source.kind() == std::io::ErrorKind::AlreadyExists => return Ok(()),
            file => file?,
        };
        self.publish_from(file, &temporary, path, bytes).await
    }

    async fn publish_from(
        &self,
        file: D::File,
        temporary: &Path,
        path: &Path,
        bytes: &[u8],
    ) -> DiskResult<()> {
        let written = async {
            file.write_at(AlignedBuf::copy_of(bytes), 0).await.0?;
            file.sync().await?;
            self.disk.rename(temporary, path).await
        };
        if let Err(error) = written.await {
            // As far as that can be done: the cause is what the caller must hear of.
            drop(self.disk.remove_file(temporary).await);
            return Err(error);
        }
        self.disk.sync_folder(disk::parent(path)).await
    }

    /// Creates a folder and its missing parents, durably: also where it is there already, because whoever created it may
    /// have ended before its name was durable.
    ///
    /// # Errors
    /// The disk's.
    pub async fn create_folder(&self, folder: &Path) -> DiskResult<()> {
        self.disk.create_folder(folder).await?;
        self.disk.sync_folder(disk::parent(folder)).await?;
        // Of the tree, each folder above may be new as well; what holds the tree was there before.
        let tree = [self.layout.data(), disk::parent(self.layout.raw())];
        let within = |above: &&Path| tree.iter().any(|root| above.starts_with(root));
        for above in folder.ancestors().skip(2).take_while(within) {
            self.disk.sync_folder(above).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
