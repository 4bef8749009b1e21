use std::fmt;
use std::path::Path;
use std::rc::Rc;

use crate::io::buffers::AlignedBuf;
use crate::io::disk::{Disk, DiskFile, DiskResult, Entry, Metadata, Space, Transfer};

type Hook = Rc<dyn Fn(&'static str, &Path) -> DiskResult<()>>;

/// A disk that asks before every call whether it fails: with the verb as it stands in errors, and the path.
#[derive(Clone)]
pub struct HookDisk<D> {
    inner: D,
    hook: Hook,
}

/// An open file of a [`HookDisk`].
pub struct HookFile<F> {
    inner: F,
    hook: Hook,
}

impl<D> HookDisk<D> {
    /// Asks `hook` before every call of `inner`.
    pub fn new(inner: D, hook: impl Fn(&'static str, &Path) -> DiskResult<()> + 'static) -> Self {
        Self { inner, hook: Rc::new(hook) }
    }
}

impl<D> fmt::Debug for HookDisk<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HookDisk")
    }
}

impl<F> fmt::Debug for HookFile<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HookFile")
    }
}

impl<D: Disk> HookDisk<D> {
    fn file(&self, inner: D::File) -> HookFile<D::File> {
        HookFile { inner, hook: self.hook.clone() }
    }
}

impl<D: Disk> Disk for HookDisk<D> {
    type File = HookFile<D::File>;

    async fn open(&self, path: &Path, transfer: Transfer) -> DiskResult<Self::File> {
        (self.hook)("open", path)?;
        Ok(self.file(self.inner.open(path, transfer).await?))
    }

    async fn open_write(&self, path: &Path, transfer: Transfer) -> DiskResult<Self::File> {
        (self.hook)("open", path)?;
        Ok(self.file(self.inner.open_write(path, transfer).await?))
    }

    async fn create(&self, path: &Path, transfer: Transfer) -> DiskResult<Self::File> {
        (self.hook)("create", path)?;
        Ok(self.file(self.inner.create(path, transfer).await?))
    }

    async fn create_folder(&self, path: &Path) -> DiskResult<()> {
        (self.hook)("mkdir", path)?;
        self.inner.create_folder(path).await
    }

    async fn list(&self, folder: &Path) -> DiskResult<Vec<Entry>> {
        (self.hook)("list", folder)?;
        self.inner.list(folder).await
    }

    async fn metadata(&self, path: &Path) -> DiskResult<Option<Metadata>> {
        (self.hook)("stat", path)?;
        self.inner.metadata(path).await
    }

    async fn rename(&self, from: &Path, to: &Path) -> DiskResult<()> {
        (self.hook)("rename", from)?;
        self.inner.rename(from, to).await
    }

    async fn remove_file(&self, path: &Path) -> DiskResult<()> {
        (self.hook)("unlink", path)?;
        self.inner.remove_file(path).await
    }

    async fn remove_folder(&self, path: &Path) -> DiskResult<()> {
        (self.hook)("rmdir", path)?;
        self.inner.remove_folder(path).await
    }

    async fn sync_folder(&self, folder: &Path) -> DiskResult<()> {
        (self.hook)("fsync", folder)?;
        self.inner.sync_folder(folder).await
    }

    async fn sync_filesystem(&self, path: &Path) -> DiskResult<()> {
        (self.hook)("syncfs", path)?;
        self.inner.sync_filesystem(path).await
    }

    async fn touch(&self, path: &Path) -> DiskResult<()> {
        (self.hook)("touch", path)?;
        self.inner.touch(path).await
    }

    async fn space(&self, path: &Path) -> DiskResult<Space> {
        (self.hook)("statfs", path)?;
        self.inner.space(path).await
    }
}

impl<F: DiskFile> DiskFile for HookFile<F> {
    async fn read_at(&self, buffer: AlignedBuf, offset: u64) -> (DiskResult<()>, AlignedBuf) {
        match (self.hook)("read", self.path()) {
            Ok(()) => self.inner.read_at(buffer, offset).await,
            Err(error) => (Err(error), buffer),
        }
    }

    async fn write_at(&self, buffer: AlignedBuf, offset: u64) -> (DiskResult<()>, AlignedBuf) {
        match (self.hook)("write", self.path()) {
            Ok(()) => self.inner.write_at(buffer, offset).await,
            Err(error) => (Err(error), buffer),
        }
    }

    async fn sync(&self) -> DiskResult<()> {
        (self.hook)("fdatasync", self.path())?;
        self.inner.sync().await
    }

    async fn len(&self) -> DiskResult<u64> {
        self.inner.len().await
    }

    async fn set_len(&self, len: u64) -> DiskResult<()> {
        (self.hook)("ftruncate", self.path())?;
        self.inner.set_len(len).await
    }

    async fn allocate(&self, len: u64) -> DiskResult<()> {
        (self.hook)("fallocate", self.path())?;
        self.inner.allocate(len).await
    }

    fn path(&self) -> &Path {
        self.inner.path()
    }
}
