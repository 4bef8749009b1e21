//! Makes raw segments ready ahead of need.
//!
//! Appending must not wait for a file to be created or its blocks to be found, and an fdatasync into blocks that
//! were written before costs a third of one that commits new ones.

use std::collections::VecDeque;
use std::path::Path;

use super::spare;
use crate::error::{Corruption, Result};
use crate::format::names::RawName;
use crate::format::raw::FRAMES_OFFSET;
use crate::io::buffers::AlignedBuf;
use crate::io::disk::{Disk, DiskFile, DiskResult, Space, Transfer, temporary_beside};
use crate::limits::{Limits, MIB};
use crate::raw_log::naming::name_durable;
use crate::raw_log::read::live::{ReadyFile, name_of, raw_names, read_blocks};
use crate::raw_log::recover::Recovered;
use crate::room::reserve::Reserve;
use crate::store::Store;

/// Written at once, so that other I/O gets its turn in between.
const FILL_BYTES: u64 = MIB;

/// Keeps files `ready-N.rawlog` in `raw/live/`: full length, every block allocated and, unless somebody waited for it,
/// written; header and seal zero, all of it durable before they have that name.
#[derive(Debug)]
pub(crate) struct Preparer<D> {
    store: Store<D>,
    file_bytes: u64,
    // Never used twice, so that a name stands for one file as long as anyone may remember it.
    next_number: u64,
    ready: VecDeque<ReadyFile>,
    reserve: Reserve,
}

impl<D: Disk> Preparer<D> {
    /// Takes over the ready files that recovery left; those of another length than
    /// [`Limits::segment_file_bytes`] are deleted.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) async fn open(store: Store<D>, limits: &Limits, recovered: &Recovered) -> Result<Self> {
        let file_bytes = limits.segment_file_bytes();
        // Also behind those that are no longer ready: renaming to their names would destroy them.
        let mut next_number = 0;
        for name in raw_names(&store, &store.layout().raw_live()).await? {
            if let RawName::Ready(number) = name {
                next_number = next_number.max(number + 1);
            }
        }
        let mut ready = VecDeque::new();
        for file in recovered.ready() {
            if file.bytes == file_bytes {
                ready.push_back(file.clone());
            } else {
                store.disk().remove_file(&file.path).await?;
            }
        }
        let reserve = Reserve::new(limits.free_bytes_min);
        Ok(Self { store, file_bytes, next_number, ready, reserve })
    }

    /// How many files are ready and not handed out.
    #[must_use]
    pub(crate) fn ready(&self) -> usize {
        self.ready.len()
    }

    /// Hands a ready file out: whoever gets it writes the header block and frames.
    pub(crate) fn take(&mut self) -> Option<ReadyFile> {
        self.ready.pop_front()
    }

    /// Takes back a file that was handed out and never written to.
    pub(crate) fn put_back(&mut self, file: ReadyFile) {
        self.ready.push_back(file);
    }

    /// Room on the filesystem of the files. [`Self::prepare_one`] does not look at it: whoever waits for a file with batches in
    /// memory takes what there is.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) async fn room(&self) -> DiskResult<Space> {
        self.store.disk().space(&self.store.layout().raw_live()).await
    }

    /// Where room is scarce, gives back what is there only to save time: all spare files, and of those ready all but
    /// `least`. Returns how many.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) async fn give_up(&mut self, least: usize) -> Result<u64> {
        let room = self.room().await?;
        if !self.reserve.is_scarce(&room) {
            return Ok(0);
        }
        let mut given_up = spare::give_up(&self.store).await?;
        while self.ready.len() > least {
            let file = self.ready.pop_back().expect("there are more than the least");
            if let Err(error) = self.store.disk().remove_file(&file.path).await {
                self.ready.push_back(file);
                return Err(error.into());
            }
            given_up += 1;
        }
        Ok(given_up)
    }

    /// Makes one more file ready: from a spare one if there is any, otherwise a new one, filled with zeros by
    /// writes of 1 MiB; for as long as nobody `waits` for it. A file whose blocks are only allocated makes fdatasyncs dearer,
    /// but an append that waits for a file stands still.
    ///
    /// # Errors
    /// The disk's; what was begun is removed again, above all when the drive is full
    /// ([`crate::error::DiskError::is_full`]).
    pub(crate) async fn prepare_one(&mut self, waits: impl Fn() -> bool) -> Result<()> {
        let number = self.next_number;
        self.next_number += 1;
        let path = self.store.layout().live(RawName::Ready(number));
        let temporary = temporary_beside(&path);
        if let Err(error) = self.fill_and_name(&temporary, &path, &waits).await {
            // As far as that is still possible; recovery deletes what is left. It may have its name already.
            for path in [&temporary, &path] {
                let _ = self.store.disk().remove_file(path).await;
            }
            return Err(error.into());
        }
        self.ready.push_back(ReadyFile { number, path, bytes: self.file_bytes });
        Ok(())
    }

    async fn fill_and_name(
        &self,
        temporary: &Path,
        path: &Path,
        waits: &impl Fn() -> bool,
    ) -> DiskResult<()> {
        let file = if spare::take(&self.store, self.file_bytes, temporary).await? {
            let file = self.store.disk().open_write(temporary, Transfer::Direct).await?;
            write_zeros(&file, 0, FRAMES_OFFSET, &|| false).await?;
            file
        } else {
            let file = self.store.disk().create(temporary, Transfer::Direct).await?;
            // First of all, so that a drive without room says so before anything is written.
            file.allocate(self.file_bytes).await?;
            write_zeros(&file, 0, self.file_bytes, waits).await?;
            file
        };
        file.sync().await?;
        // Syncing the folder takes a descriptor, and may have to make do with this one.
        drop(file);
        self.store.disk().rename(temporary, path).await?;
        self.store.disk().sync_folder(&self.store.layout().raw_live()).await
    }

    /// Gives a file in use the name that its header says. The header must be durable: a file with such a name has a
    /// valid one, or it is damaged. `false` if the file was not there any more: archived meanwhile, or named by a call before
    /// that failed behind that; what there is of names is durable then, too.
    ///
    /// The file is not synced here: were an fdatasync of it to fail, its shard would never hear of it, and believe in
    /// what was lost.
    ///
    /// # Errors
    /// The disk's; corruption if the header says another name.
    pub(crate) async fn claimed(&self, number: u64, name: RawName) -> Result<bool> {
        let path = self.store.layout().live(RawName::Ready(number));
        let header = match read_blocks(self.store.disk(), &path, Transfer::Cached).await {
            Err(error) if error.is_not_found() => {
                self.store.disk().sync_folder(&self.store.layout().raw_live()).await?;
                return Ok(false);
            }
            blocks => blocks?.0.header,
        };
        let what = match header {
            Ok(header) if name_of(&header) == name => {
                return name_durable(&self.store, &path, name).await;
            }
            Ok(header) => format!("its header says {}, its writer {name}", name_of(&header)),
            Err(error) => format!("header: {error}, though {name} is being written here"),
        };
        Err(Corruption { path, offset: 0, what }.into())
    }
}

async fn write_zeros<F: DiskFile>(
    file: &F,
    begin: u64,
    end: u64,
    enough: &impl Fn() -> bool,
) -> DiskResult<()> {
    let chunk = usize::try_from(FILL_BYTES.min(end - begin)).expect("a chunk fits");
    let mut zeros = AlignedBuf::with_capacity(chunk);
    let mut at = begin;
    while at < end {
        let len = usize::try_from((end - at).min(chunk as u64)).expect("a chunk fits");
        zeros.set_len(len);
        let result;
        (result, zeros) = file.write_at(zeros, at).await;
        result?;
        at += len as u64;
        if enough() {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
