//! The port through which background work reaches files.
//!
//! Production implements it with tokio-uring on a low-priority ring; the simulation implements it over a
//! disk that loses, tears, reorders, corrupts, fills up and fails. So every await below is a place where
//! the process may end, and what a call promises about durability is only what its comment says.

use std::path::{Path, PathBuf};

use super::buffers::AlignedBuf;
use crate::error::DiskError;
use crate::time::WallMillis;

/// Result of a call on a [`Disk`].
pub type DiskResult<T> = Result<T, DiskError>;

/// What a folder entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// Anything else (a link, a socket): never followed, never touched.
    Other,
}

/// One entry of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name; entries whose name is not UTF-8 are not reported.
    pub name: String,
    /// What it is.
    pub kind: EntryKind,
}

/// What is known of a path without opening it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// What it is.
    pub kind: EntryKind,
    /// Length in bytes, of a file.
    pub len: u64,
    /// Time of the last modification.
    pub modified: WallMillis,
}

/// Room on a filesystem, in bytes and inodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Bytes in all.
    pub total_bytes: u64,
    /// Bytes that this process may still write.
    pub available_bytes: u64,
    /// Files that it can hold in all; 0 where the filesystem has no such bound.
    pub total_files: u64,
    /// Files that may still be created; `u64::MAX` where the filesystem has no such bound.
    pub available_files: u64,
}

/// How a file's bytes should travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transfer {
    /// Through the page cache: small files, and what is read again soon.
    Cached,
    /// Past the page cache where the filesystem can: long streams that would push out what others need, and
    /// whose write-back would lose this thread's I/O priority. Also what must be read from the drive itself.
    Direct,
}

/// A file that [`Disk::create_all`] creates whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFile {
    /// Where.
    pub path: PathBuf,
    /// All its bytes.
    pub bytes: Vec<u8>,
}

/// A filesystem.
pub trait Disk: Clone + 'static {
    /// An open file; closed when dropped.
    type File: DiskFile;

    /// Opens an existing file for reading.
    fn open(&self, path: &Path, transfer: Transfer) -> impl Future<Output = DiskResult<Self::File>>;

    /// Opens an existing file for reading and writing.
    fn open_write(&self, path: &Path, transfer: Transfer) -> impl Future<Output = DiskResult<Self::File>>;

    /// Creates a file for reading and writing; fails if the name is taken. Its name is durable only after
    /// [`Self::sync_folder`] of its folder.
    fn create(&self, path: &Path, transfer: Transfer) -> impl Future<Output = DiskResult<Self::File>>;

    /// Creates a folder and its missing parents; an existing one is fine. Durable, as files are, only when
    /// the folders that hold the new names are synced.
    fn create_folder(&self, path: &Path) -> impl Future<Output = DiskResult<()>>;

    /// Entries of a folder, sorted by name, as they were at one moment.
    fn list(&self, folder: &Path) -> impl Future<Output = DiskResult<Vec<Entry>>>;

    /// What is at `path`, or `None` if nothing is.
    fn metadata(&self, path: &Path) -> impl Future<Output = DiskResult<Option<Metadata>>>;

    /// Renames, replacing what had the new name. Durable after both folders are synced.
    fn rename(&self, from: &Path, to: &Path) -> impl Future<Output = DiskResult<()>>;

    /// Removes a file. Durable after its folder is synced.
    fn remove_file(&self, path: &Path) -> impl Future<Output = DiskResult<()>>;

    /// Removes an empty folder.
    fn remove_folder(&self, path: &Path) -> impl Future<Output = DiskResult<()>>;

    /// Makes the names in a folder durable.
    fn sync_folder(&self, folder: &Path) -> impl Future<Output = DiskResult<()>>;

    /// Makes everything on the filesystem that holds `path` durable: one call in place of thousands.
    fn sync_filesystem(&self, path: &Path) -> impl Future<Output = DiskResult<()>>;

    /// Creates the file if it is not there and sets its modification time to now.
    fn touch(&self, path: &Path) -> impl Future<Output = DiskResult<()>>;

    /// Room on the filesystem that holds `path`.
    fn space(&self, path: &Path) -> impl Future<Output = DiskResult<Space>>;

    /// Creates small files with their bytes, and the folders that are missing; what has one of the names already is
    /// replaced. Durable after [`Self::sync_filesystem`]. After an error, or if the future is dropped, any of
    /// them may be there, whole or in part, and more of them may still be coming.
    ///
    /// Written in terms of the other verbs; a disk for which thousands of calls cost more than their work does
    /// better.
    fn create_all(&self, files: Vec<NewFile>) -> impl Future<Output = DiskResult<()>> {
        async move {
            for NewFile { path, bytes } in files {
                let file = create_anew(self, &path).await?;
                file.write_at(AlignedBuf::copy_of(&bytes), 0).await.0?;
            }
            Ok(())
        }
    }

    /// What [`Self::list`] says of each folder, in their order; of one that is not there, that it is empty. The
    /// folders are not all looked at in one moment.
    ///
    /// As [`Self::create_all`], for a disk to do better.
    fn list_all(&self, folders: Vec<PathBuf>) -> impl Future<Output = DiskResult<Vec<Vec<Entry>>>> {
        async move {
            let mut listings = Vec::with_capacity(folders.len());
            for folder in folders {
                listings.push(match self.list(&folder).await {
                    Err(error) if error.is_not_found() => Vec::new(),
                    entries => entries?,
                });
            }
            Ok(listings)
        }
    }
}

/// An open file of a [`Disk`]. Buffers are handed over for the call and come back with its result.
#[expect(clippy::len_without_is_empty, reason = "a request to the filesystem, not a container")]
pub trait DiskFile: 'static {
    /// Reads into the buffer's whole capacity from `offset`, sets its length to what was read: less than the
    /// capacity only at the end of the file.
    fn read_at(&self, buffer: AlignedBuf, offset: u64) -> impl Future<Output = (DiskResult<()>, AlignedBuf)>;

    /// Writes all bytes of the buffer at `offset`. Not durable before [`Self::sync`].
    fn write_at(&self, buffer: AlignedBuf, offset: u64)
    -> impl Future<Output = (DiskResult<()>, AlignedBuf)>;

    /// Makes the file's bytes and length durable (fdatasync). After an error nothing is known of what was
    /// written since the last success, and calling again proves nothing.
    fn sync(&self) -> impl Future<Output = DiskResult<()>>;

    /// Length in bytes.
    fn len(&self) -> impl Future<Output = DiskResult<u64>>;

    /// Cuts the file, or grows it with zeros.
    fn set_len(&self, len: u64) -> impl Future<Output = DiskResult<()>>;

    /// Reserves blocks so that the file can hold `len` bytes; sets its length to that.
    fn allocate(&self, len: u64) -> impl Future<Output = DiskResult<()>>;

    /// The path it was opened by.
    fn path(&self) -> &Path;
}

/// Creates a file through the page cache, with its folder if that is missing, in place of any that has the name.
async fn create_anew<D: Disk>(disk: &D, path: &Path) -> DiskResult<D::File> {
    match disk.create(path, Transfer::Cached).await {
        // Nearly always the folder is there, so it is not looked for before.
        Err(error) if error.is_not_found() => disk.create_folder(parent(path)).await?,
        Err(error) if error.source.kind() == std::io::ErrorKind::AlreadyExists => {
            disk.remove_file(path).await?;
        }
        result => return result,
    }
    disk.create(path, Transfer::Cached).await
}

/// The temporary name under which a file is written before it gets the name `path`.
#[must_use]
pub fn temporary_beside(path: &Path) -> PathBuf {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    path.with_file_name(format!("{}{name}", crate::format::names::TEMPORARY_PREFIX))
}

/// The folder that holds `path`.
#[must_use]
pub fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}
