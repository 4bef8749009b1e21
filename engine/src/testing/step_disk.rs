use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use crate::io::buffers::AlignedBuf;
use crate::io::disk::{Disk, DiskFile, DiskResult, Entry, Metadata, Space, Transfer};

/// A disk whose every call first waits once. A job over it goes one call further with each poll, so a test
/// ends the process between any two calls by polling no more ([`Stepped`]), or lets something else happen
/// there.
#[derive(Clone, Debug)]
pub struct StepDisk<D>(pub D);

/// An open file of a [`StepDisk`].
#[derive(Debug)]
pub struct StepFile<F>(F);

struct Once(bool);

impl Future for Once {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) { Poll::Ready(()) } else { Poll::Pending }
    }
}

fn once() -> Once {
    Once(false)
}

/// A future that is polled by hand, step by step.
pub struct Stepped<'f, T>(Pin<Box<dyn Future<Output = T> + 'f>>);

impl<'f, T> Stepped<'f, T> {
    /// Not polled yet.
    pub fn new(future: impl Future<Output = T> + 'f) -> Self {
        Self(Box::pin(future))
    }

    /// Polls it once: over a [`StepDisk`], up to its next call. Returns its result when it is done.
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

impl<D: Disk> Disk for StepDisk<D> {
    type File = StepFile<D::File>;

    async fn open(&self, path: &Path, transfer: Transfer) -> DiskResult<Self::File> {
        once().await;
        self.0.open(path, transfer).await.map(StepFile)
    }

    async fn open_write(&self, path: &Path, transfer: Transfer) -> DiskResult<Self::File> {
        once().await;
        self.0.open_write(path, transfer).await.map(StepFile)
    }

    async fn create(&self, path: &Path, transfer: Transfer) -> DiskResult<Self::File> {
        once().await;
        self.0.create(path, transfer).await.map(StepFile)
    }

    async fn create_folder(&self, path: &Path) -> DiskResult<()> {
        once().await;
        self.0.create_folder(path).await
    }

    async fn list(&self, folder: &Path) -> DiskResult<Vec<Entry>> {
        once().await;
        self.0.list(folder).await
    }

    async fn metadata(&self, path: &Path) -> DiskResult<Option<Metadata>> {
        once().await;
        self.0.metadata(path).await
    }

    async fn rename(&self, from: &Path, to: &Path) -> DiskResult<()> {
        once().await;
        self.0.rename(from, to).await
    }

    async fn remove_file(&self, path: &Path) -> DiskResult<()> {
        once().await;
        self.0.remove_file(path).await
    }

    async fn remove_folder(&self, path: &Path) -> DiskResult<()> {
        once().await;
        self.0.remove_folder(path).await
    }

    async fn sync_folder(&self, folder: &Path) -> DiskResult<()> {
        once().await;
        self.0.sync_folder(folder).await
    }

    async fn sync_filesystem(&self, path: &Path) -> DiskResult<()> {
        once().await;
        self.0.sync_filesystem(path).await
    }

    async fn touch(&self, path: &Path) -> DiskResult<()> {
        once().await;
        self.0.touch(path).await
    }

    async fn space(&self, path: &Path) -> DiskResult<Space> {
        once().await;
        self.0.space(path).await
    }
}

impl<F: DiskFile> DiskFile for StepFile<F> {
    async fn read_at(&self, buffer: AlignedBuf, offset: u64) -> (DiskResult<()>, AlignedBuf) {
        once().await;
        self.0.read_at(buffer, offset).await
    }

    async fn write_at(&self, buffer: AlignedBuf, offset: u64) -> (DiskResult<()>, AlignedBuf) {
        once().await;
        self.0.write_at(buffer, offset).await
    }

    async fn sync(&self) -> DiskResult<()> {
        once().await;
        self.0.sync().await
    }

    async fn len(&self) -> DiskResult<u64> {
        once().await;
        self.0.len().await
    }

    async fn set_len(&self, len: u64) -> DiskResult<()> {
        once().await;
        self.0.set_len(len).await
    }

    async fn allocate(&self, len: u64) -> DiskResult<()> {
        once().await;
        self.0.allocate(len).await
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}
