//! Writing a segment of an index: streamed under a temporary name, and published whole with its sidecar.

use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::format::index::{EpochRange, SidecarBuilder};
use crate::format::names::{self, SegmentKind, SegmentName};
use crate::ids::Epoch;
use crate::io::buffers::AlignedBuf;
use crate::io::disk::{self, Disk, DiskFile, Transfer};
use crate::limits::{DIRECT_BLOCK_BYTES, MIB};
use crate::room::ledger::Promise;
use crate::store::{Small, Store};

/// Bytes of one write: the segment is written in pieces of this length.
pub(crate) const CHUNK_BYTES: usize = MIB as usize;

/// A segment being written. Until [`Self::publish`] there is only a temporary file, which a crash may leave
/// behind and a start removes.
#[derive(Debug)]
pub(crate) struct SegmentWriter<D: Disk> {
    store: Store<D>,
    folder: PathBuf,
    kind: SegmentKind,
    time: Epoch,
    temporary: PathBuf,
    file: D::File,
    chunk: Option<AlignedBuf>,
    written: u64,
    promise: Option<Promise>,
    sidecar: SidecarBuilder,
}

/// What was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// Its name.
    pub name: SegmentName,
    /// Its length.
    pub bytes: u64,
    /// Whether the same segment had been there already, from an earlier run that a crash ended.
    pub already: bool,
}

impl<D: Disk> SegmentWriter<D> {
    /// Begins a segment in `folder`, which must exist, under a temporary name; one left over from a crash is
    /// replaced. Only one segment of a kind and time may be written at once.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) async fn create(
        store: &Store<D>,
        folder: &Path,
        kind: SegmentKind,
        time: Epoch,
    ) -> Result<Self> {
        // The final name has the record count, which only the end knows.
        let unfinished = SegmentName { time, kind, records: 0 };
        let temporary = disk::temporary_beside(&folder.join(unfinished.to_string()));
        Self::create_at(store, folder, temporary, kind, time).await
    }

    /// Begins a run: a sorted stretch that is not to be published but read again by this job.
    pub(super) async fn create_run(
        store: &Store<D>,
        folder: &Path,
        time: Epoch,
        number: usize,
    ) -> Result<Self> {
        let temporary = disk::temporary_beside(&folder.join(format!("run-{time}-{number}")));
        Self::create_at(store, folder, temporary, SegmentKind::Sorted, time).await
    }

    async fn create_at(
        store: &Store<D>,
        folder: &Path,
        temporary: PathBuf,
        kind: SegmentKind,
        time: Epoch,
    ) -> Result<Self> {
        store.remove(&temporary).await?;
        let file = store.disk().create(&temporary, Transfer::Direct).await?;
        Ok(Self {
            store: store.clone(),
            folder: folder.to_owned(),
            kind,
            time,
            temporary,
            file,
            chunk: Some(AlignedBuf::with_capacity(CHUNK_BYTES)),
            written: 0,
            promise: None,
            sidecar: SidecarBuilder::of(kind),
        })
    }

    /// Takes room that was promised: what is written is promised no more.
    pub(crate) fn takes_of(&mut self, promise: Option<Promise>) {
        self.promise = promise;
    }

    /// Appends a record: its bytes as the segment holds them, and its docid.
    ///
    /// # Errors
    /// The disk's; the segment must be [discarded](Self::discard) then.
    pub(crate) async fn push(&mut self, record: &[u8], docid: &[u8]) -> Result<()> {
        self.sidecar.push(record, docid);
        let mut rest = record;
        loop {
            let chunk = self.chunk.as_mut().expect("it is only away during a write");
            let (part, behind) = rest.split_at(rest.len().min(chunk.room()));
            chunk.extend(part);
            rest = behind;
            if chunk.room() > 0 {
                return Ok(());
            }
            self.write_chunk().await?;
        }
    }

    /// Records so far.
    #[must_use]
    pub(crate) const fn records(&self) -> u64 {
        self.sidecar.records()
    }

    /// Completes the segment, of which `epochs` are merged in it: makes it durable, publishes its sidecar,
    /// then gives it its name, durably. When this returns, both are there whole; a crash before leaves at
    /// most a temporary file and an orphan sidecar.
    ///
    /// # Errors
    /// The disk's, or corruption if the name is taken by a segment that holds something else; the temporary
    /// file is removed then. If the fsync of the folder fails, the name is taken back: nobody may take for
    /// durable what may not be.
    pub(crate) async fn publish(mut self, epochs: EpochRange) -> Result<Published> {
        match self.complete(epochs).await {
            Ok(published) => Ok(published),
            Err(error) => {
                self.discard().await;
                Err(error)
            }
        }
    }

    async fn complete(&mut self, epochs: EpochRange) -> Result<Published> {
        self.write_tail().await?;
        self.file.sync().await?;
        let name = SegmentName { time: self.time, kind: self.kind, records: self.sidecar.records() };
        let path = self.folder.join(name.to_string());
        let sidecar_path = names::sidecar_of(&path);
        let bytes = self.sidecar.bytes();
        let sidecar = std::mem::take(&mut self.sidecar).finish(self.kind, epochs).encode();
        if let Some(there) = self.store.disk().metadata(&path).await? {
            // Replacing another segment could not be done in one step with its sidecar.
            let present = self.store.read_small(&sidecar_path, sidecar.len()).await?;
            let same = there.len == bytes && present == Small::Whole(sidecar);
            if !same {
                let what = "another segment of this name is to be published; move this one away".to_owned();
                return Err(crate::error::Corruption { path, offset: 0, what }.into());
            }
            self.store.disk().sync_folder(&self.folder).await?;
            self.store.disk().remove_file(&self.temporary).await?;
            return Ok(Published { name, bytes, already: true });
        }
        self.store.publish(&sidecar_path, &sidecar).await?;
        self.store.disk().rename(&self.temporary, &path).await?;
        if let Err(error) = self.store.disk().sync_folder(&self.folder).await {
            // A second fsync would prove nothing. If the removal fails too, there is no more to be done here.
            drop(self.store.disk().remove_file(&path).await);
            return Err(error.into());
        }
        Ok(Published { name, bytes, already: false })
    }

    /// Completes a run; gives its path and sidecar, with which it can be read.
    pub(super) async fn finish_run(mut self) -> Result<(PathBuf, crate::format::index::Sidecar)> {
        // Not synced: after a crash the job begins anew.
        match self.write_tail().await {
            Ok(()) => Ok((self.temporary, self.sidecar.finish(self.kind, EpochRange::only(self.time)))),
            Err(error) => {
                self.discard().await;
                Err(error)
            }
        }
    }

    /// Gives up: removes the temporary file, as far as that can be done.
    pub(crate) async fn discard(self) {
        // If that fails, the cleaner removes the file once it is an hour old; the caller has a cause to report.
        drop(self.store.disk().remove_file(&self.temporary).await);
    }

    async fn write_tail(&mut self) -> Result<()> {
        let chunk = self.chunk.as_mut().expect("it is only away during a write");
        if !chunk.is_empty() {
            // Direct I/O writes whole blocks; the length is set right behind.
            chunk.pad_to(DIRECT_BLOCK_BYTES);
            self.write_chunk().await?;
        }
        if self.written != self.sidecar.bytes() {
            self.file.set_len(self.sidecar.bytes()).await?;
        }
        Ok(())
    }

    async fn write_chunk(&mut self) -> Result<()> {
        let chunk = self.chunk.take().expect("one write at a time");
        let length = chunk.len() as u64;
        let (result, mut chunk) = self.file.write_at(chunk, self.written).await;
        chunk.clear();
        self.chunk = Some(chunk);
        result?;
        self.written += length;
        if let Some(promise) = &mut self.promise {
            promise.taken(self.written);
        }
        Ok(())
    }
}
