use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use logtank_engine::error::{DiskError, Verb};
use logtank_engine::io::{AlignedBuf, DiskFile, DiskResult, Transfer};
use rustix::fs::ftruncate;
use rustix::io::fcntl_dupfd_cloexec;
use tokio::task::JoinHandle;

use super::blocking::blocking;
use super::direct::DirectFile;
use super::retry::retried;
use super::throttle::Throttle;
use super::transfer::{self, Transferred};

/// Cached transfers shorter than this are not worth the governor's attention.
const GOVERNED_BYTES_MIN: usize = 64 << 10;

/// Zeros are written in pieces of this length where a filesystem can't reserve blocks.
const ZEROS_BYTES: u64 = 1 << 20;

/// An open file of a [`super::UringDisk`].
pub struct UringFile {
    file: Rc<DirectFile>,
    path: PathBuf,
    throttle: Throttle,
}

impl UringFile {
    pub(super) fn new(
        file: tokio_uring::fs::File,
        transfer: Transfer,
        path: &Path,
        throttle: Throttle,
    ) -> Self {
        Self { file: Rc::new(DirectFile::new(file, transfer)), path: path.to_owned(), throttle }
    }

    fn failed(&self, verb: Verb) -> impl FnOnce(io::Error) -> DiskError {
        move |source| DiskError::new(verb, &self.path, source)
    }

    /// What [`DiskFile::allocate`] does where blocks can't be reserved: blocks that were written are there.
    async fn fill(&self, present: u64, len: u64) -> DiskResult<()> {
        let mut at = present;
        let mut zeros = AlignedBuf::with_capacity(ZEROS_BYTES as usize);
        while at < len {
            zeros.set_len((len - at).min(ZEROS_BYTES) as usize);
            let result;
            (result, zeros) = self.write_at(zeros, at).await;
            result?;
            at += zeros.len() as u64;
        }
        if present > len { self.set_len(len).await } else { Ok(()) }
    }

    fn governed(&self, bytes: usize) -> Option<Throttle> {
        (self.file.is_direct() || bytes >= GOVERNED_BYTES_MIN).then(|| self.throttle.clone())
    }
}

impl std::fmt::Debug for UringFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UringFile").field("path", &self.path).field("direct", &self.file.is_direct()).finish()
    }
}

/// Lets a governed transfer run as a task of its own: others wait for their turn behind it, so it must go on also
/// while its caller polls something else. It ends with its caller's interest.
struct Governed<T>(JoinHandle<T>);

impl<T: 'static> Governed<T> {
    fn spawn(transfer: impl Future<Output = T> + 'static) -> Self {
        Self(tokio_uring::spawn(transfer))
    }
}

impl<T> Future for Governed<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        Pin::new(&mut self.0).poll(context).map(|joined| match joined {
            Ok(output) => output,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        })
    }
}

impl<T> Drop for Governed<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl DiskFile for UringFile {
    async fn read_at(&self, buffer: AlignedBuf, offset: u64) -> (DiskResult<()>, AlignedBuf) {
        let (result, buffer): Transferred<()> = match self.governed(buffer.capacity()) {
            None => transfer::read(self.file.clone(), None, buffer, offset).await,
            throttle => Governed::spawn(transfer::read(self.file.clone(), throttle, buffer, offset)).await,
        };
        (result.map_err(self.failed(Verb::Read)), buffer)
    }

    async fn write_at(&self, buffer: AlignedBuf, offset: u64) -> (DiskResult<()>, AlignedBuf) {
        let (result, buffer): Transferred<()> = match self.governed(buffer.len()) {
            None => transfer::write(self.file.clone(), None, buffer, offset).await,
            throttle => Governed::spawn(transfer::write(self.file.clone(), throttle, buffer, offset)).await,
        };
        (result.map_err(self.failed(Verb::Write)), buffer)
    }

    async fn sync(&self) -> DiskResult<()> {
        self.file.file().sync_data().await.map_err(self.failed(Verb::Fdatasync))
    }

    async fn len(&self) -> DiskResult<u64> {
        let status = retried(|| self.file.file().statx()).await.map_err(self.failed(Verb::Stat))?;
        Ok(status.stx_size)
    }

    async fn set_len(&self, len: u64) -> DiskResult<()> {
        // A descriptor of its own: the call goes on if this future is dropped, and the file may be closed then.
        let fd = fcntl_dupfd_cloexec(self.file.fd(), 0)
            .map_err(|error| self.failed(Verb::Truncate)(error.into()))?;
        blocking(Verb::Truncate, &self.path, move || Ok(rustix::io::retry_on_intr(|| ftruncate(&fd, len))?))
            .await
    }

    async fn allocate(&self, len: u64) -> DiskResult<()> {
        let present = self.len().await?;
        if len > 0 {
            match retried(|| self.file.file().fallocate(0, len, 0)).await {
                Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                    return self.fill(present, len).await;
                }
                result => result.map_err(self.failed(Verb::Allocate))?,
            }
        }
        if present > len { self.set_len(len).await } else { Ok(()) }
    }

    fn path(&self) -> &Path {
        &self.path
    }
}
