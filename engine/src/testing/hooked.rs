use std::fmt;
use std::path::Path;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::error::Verb;
use crate::io::buffers::AlignedBuf;
use crate::io::disk::{Disk, DiskFile, DiskResult, Entry, Metadata, Space, Transfer};

/// Asked before a call, with the verb of its errors, and the path.
type Hook = Rc<dyn Fn(Verb, &Path) -> DiskResult<()>>;

#[derive(Clone)]
enum Before {
    /// Waits once.
    Step,
    /// Asks whether the call fails.
    Ask(Hook),
}

/// A disk that does something before every call.
#[derive(Clone)]
pub struct Hooked<D> {
    inner: D,
    before: Before,
}

/// An open file of a [`Hooked`] disk.
pub struct HookedFile<F> {
    inner: F,
    before: Before,
}

struct Once(bool);

impl Future for Once {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Before {
    async fn call(&self, verb: Verb, path: &Path) -> DiskResult<()> {
        match self {
            Self::Step => {
                Once(false).await;
                Ok(())
            }
            Self::Ask(hook) => hook(verb, path),
        }
    }
}

impl<D> Hooked<D> {
    /// Asks `hook` before every call of `inner` whether it fails: with the verb of its errors, and the path.
    pub fn new(inner: D, hook: impl Fn(Verb, &Path) -> DiskResult<()> + 'static) -> Self {
        Self { inner, before: Before::Ask(Rc::new(hook)) }
    }

    /// Waits once before every call of `inner`. A job over it goes one call further with each poll, so a test ends the
    /// process between any two calls by polling no more ([`Stepped`]), or lets something else happen there.
    pub const fn stepping(inner: D) -> Self {
        Self { inner, before: Before::Step }
    }
}

impl<D> fmt::Debug for Hooked<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hooked")
    }
}

impl<F> fmt::Debug for HookedFile<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HookedFile")
    }
}

/// A future that is polled by hand, step by step.
pub struct Stepped<'f, T>(Pin<Box<dyn Future<Output = T> + 'f>>);

impl<'f, T> Stepped<'f, T> {
    /// Not polled yet.
    pub fn new(future: impl Future<Output = T> + 'f) -> Self {
        Self(Box::pin(future))
    }

    /// Polls it once: over a disk that steps ([`Hooked::stepping`]), up to its next call. Returns its result when it is
    /// done.
    pub fn step(&mut self) -> Option<T> {
        match self.0.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        }
    }

    /// Polls it up to `steps` times. Returns its result if it is done by then.
    pub fn steps(&mut self, steps: usize) -> Option<T> {
        (0..steps).find_map(|_| self.step())
    }
}

impl<D: Disk> Hooked<D> {
    fn file(&self, inner: D::File) -> HookedFile<D::File> {
        HookedFile { inner, before: self.before.clone() }
    }
}

impl<D: Disk> Disk for Hooked<D> {
    type File = HookedFile<D::File>;

    async fn open(&self, path: &Path, transfer: Transfer) -> DiskResult<Self::File> {
        self.before.call(Verb::Open, path).await?;
        Ok(self.file(self.inner.open(path, transfer).await?))
    }

    async fn open_write(&self, path: &Path, transfer: Transfer) -> DiskResult<Self::File> {
        self.before.call(Verb::Open, path).await?;
        Ok(self.file(self.inner.open_write(path, transfer).await?))
    }

    async fn create(&self, path: &Path, transfer: Transfer) -> DiskResult<Self::File> {
        self.before.call(Verb::Create, path).await?;
        Ok(self.file(self.inner.create(path, transfer).await?))
    }

    async fn create_folder(&self, path: &Path) -> DiskResult<()> {
        self.before.call(Verb::Mkdir, path).await?;
        self.inner.create_folder(path).await
    }

    async fn list(&self, folder: &Path) -> DiskResult<Vec<Entry>> {
        self.before.call(Verb::List, folder).await?;
        self.inner.list(folder).await
    }

    async fn metadata(&self, path: &Path) -> DiskResult<Option<Metadata>> {
        self.before.call(Verb::Stat, path).await?;
        self.inner.metadata(path).await
    }

    async fn rename(&self, from: &Path, to: &Path) -> DiskResult<()> {
        self.before.call(Verb::Rename, from).await?;
        self.inner.rename(from, to).await
    }

    async fn remove_file(&self, path: &Path) -> DiskResult<()> {
        self.before.call(Verb::Unlink, path).await?;
        self.inner.remove_file(path).await
    }

    async fn remove_folder(&self, path: &Path) -> DiskResult<()> {
        self.before.call(Verb::Rmdir, path).await?;
        self.inner.remove_folder(path).await
    }

    async fn sync_folder(&self, folder: &Path) -> DiskResult<()> {
        self.before.call(Verb::Fsync, folder).await?;
        self.inner.sync_folder(folder).await
    }

    async fn sync_filesystem(&self, path: &Path) -> DiskResult<()> {
        self.before.call(Verb::Syncfs, path).await?;
        self.inner.sync_filesystem(path).await
    }

    async fn touch(&self, path: &Path) -> DiskResult<()> {
        self.before.call(Verb::Touch, path).await?;
        self.inner.touch(path).await
    }

    async fn space(&self, path: &Path) -> DiskResult<Space> {
        self.before.call(Verb::Statfs, path).await?;
        self.inner.space(path).await
    }
}

impl<F: DiskFile> HookedFile<F> {
    async fn before(&self, verb: Verb) -> DiskResult<()> {
        self.before.call(verb, self.inner.path()).await
    }
}

impl<F: DiskFile> DiskFile for HookedFile<F> {
    async fn read_at(&self, buffer: AlignedBuf, offset: u64) -> (DiskResult<()>, AlignedBuf) {
        match self.before(Verb::Read).await {
            Ok(()) => self.inner.read_at(buffer, offset).await,
            Err(error) => (Err(error), buffer),
        }
    }

    async fn write_at(&self, buffer: AlignedBuf, offset: u64) -> (DiskResult<()>, AlignedBuf) {
        match self.before(Verb::Write).await {
            Ok(()) => self.inner.write_at(buffer, offset).await,
            Err(error) => (Err(error), buffer),
        }
    }

    async fn sync(&self) -> DiskResult<()> {
        self.before(Verb::Fdatasync).await?;
        self.inner.sync().await
    }

    async fn len(&self) -> DiskResult<u64> {
        self.before(Verb::Stat).await?;
        self.inner.len().await
    }

    async fn set_len(&self, len: u64) -> DiskResult<()> {
        self.before(Verb::Truncate).await?;
        self.inner.set_len(len).await
    }

    async fn allocate(&self, len: u64) -> DiskResult<()> {
        self.before(Verb::Allocate).await?;
        self.inner.allocate(len).await
    }

    fn path(&self) -> &Path {
        self.inner.path()
    }
}
