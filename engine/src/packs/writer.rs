//! Writing a pack: streamed in one pass under a temporary name, and published whole.

mod new_slice;
mod out;

use std::path::{Path, PathBuf};

pub use new_slice::NewSlice;
use out::Out;

use crate::error::{Corruption, Error, Result};
use crate::format::pack::{
    CodeHash, DirectoryBuilder, FOOT_BYTES, FencesBuilder, Foot, HEAD_BYTES, Head, LABEL_BYTES_MAX, Label,
    PackName, Place,
};
use crate::ids::IndexCode;
use crate::io::disk::{self, Disk, Transfer};
use crate::time::WallMillis;

/// A pack being written. Until [`Self::publish`] there is only a temporary file, which a crash may leave.
///
/// In memory it has what one write holds, one directory block, the fences, and of a slice longer than a block its table.
#[derive(Debug)]
pub struct PackWriter<D: Disk> {
    disk: D,
    folder: PathBuf,
    name: PackName,
    temporary: PathBuf,
    out: Out<D::File>,
    head_checksum: u32,
    directory: DirectoryBuilder,
    fences: FencesBuilder,
    before: Option<(CodeHash, IndexCode)>,
    slices: u64,
    records: u64,
    data_bytes: u64,
    // The most that was held at once, but for the fences.
    scratch_bytes_max: usize,
}

/// What was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishedPack {
    /// Its name.
    pub name: PackName,
    /// Length of the file.
    pub file_bytes: u64,
    /// Slices: one for each index in it.
    pub slices: u64,
    /// Records of all slices.
    pub records: u64,
    /// Bytes of all records.
    pub data_bytes: u64,
}

impl<D: Disk> PackWriter<D> {
    /// Begins the pack of this name in `folder`, which must exist, under a temporary name; one left over from a crash is
    /// replaced. Only one pack of a name may be written at once.
    ///
    /// # Errors
    /// The disk's.
    pub async fn create(disk: &D, folder: &Path, name: PackName, now: WallMillis) -> Result<Self> {
        let temporary = disk::temporary_beside(&folder.join(name.to_string()));
        match disk.remove_file(&temporary).await {
            Err(error) if !error.is_not_found() => return Err(error.into()),
            _ => {}
        }
        let file = disk.create(&temporary, Transfer::Direct).await?;
        let head = Head { name, created: now }.encode();
        let mut writer = Self {
            disk: disk.clone(),
            folder: folder.to_owned(),
            name,
            temporary,
            out: Out::new(file),
            head_checksum: Head::checksum(&head),
            directory: DirectoryBuilder::default(),
            fences: FencesBuilder::default(),
            before: None,
            slices: 0,
            records: 0,
            data_bytes: 0,
            scratch_bytes_max: 0,
        };
        match writer.out.extend(&head).await {
            Ok(()) => Ok(writer),
            Err(error) => {
                writer.discard().await;
                Err(error.into())
            }
        }
    }

    /// Appends the slice of an index: its records as a segment of an index holds them, each with its docid. They are gone
    /// through twice.
    ///
    /// # Errors
    /// The disk's; the pack must be [discarded](Self::discard) then.
    ///
    /// # Panics
    /// If the slice can't be the next of this pack: if it is not of its cell, does not come after the one before in the order
    /// of (hash, code), has positions out of the pack's range, or has no record and is no base.
    pub async fn push<'r>(
        &mut self,
        slice: NewSlice<'_>,
        records: impl Iterator<Item = &'r [u8]> + Clone,
    ) -> Result<()> {
        let (entry, table) = slice.entry(&self.name, records.clone());
        let key = (entry.hash(), slice.code.clone());
        assert!(
            self.before.as_ref().is_none_or(|before| *before < key),
            "slices in the order of (hash, code)"
        );
        self.before = Some(key);
        let mut encoded = Vec::with_capacity(LABEL_BYTES_MAX);
        entry.encode(&mut encoded);
        if !self.directory.has_room(encoded.len()) {
            self.close_directory().await?;
        }
        let label_at = self.out.offset();
        let place = Place::of(label_at, encoded.len(), entry.bytes).expect("the records are in memory");
        let mut label = Vec::with_capacity(LABEL_BYTES_MAX);
        Label::encode(label_at, &encoded, &mut label);
        self.out.extend(&label).await?;
        self.out.zeros_up_to(place.data().start).await?;
        for record in records {
            self.out.extend(record).await?;
        }
        if let Some(table) = &table {
            self.out.extend(table).await?;
        }
        assert_eq!(self.out.offset(), place.end(), "the same records were given twice");
        self.directory.push(label_at, &entry);
        self.slices += 1;
        self.records += entry.records;
        self.data_bytes += entry.bytes;
        let table_bytes = table.map_or(0, |table| table.capacity());
        self.scratch_bytes_max =
            self.scratch_bytes_max.max(encoded.capacity() + label.capacity() + table_bytes);
        Ok(())
    }

    /// Completes the pack: makes it durable, then gives it its name, durably. When this returns, it is there whole; a crash
    /// before leaves at most a temporary file.
    ///
    /// # Errors
    /// The disk's, or corruption if there is a file of this name; the temporary file is removed then. If the fsync of the
    /// folder fails, the name is taken back: nobody may take for durable what may not be.
    pub async fn publish(mut self) -> Result<PublishedPack> {
        match self.complete().await {
            Ok(published) => Ok(published),
            Err(error) => {
                self.discard().await;
                Err(error)
            }
        }
    }

    /// Gives up: removes the temporary file, as far as that can be done.
    pub async fn discard(self) {
        // The caller has a cause to report. What stays is removed with the leftovers of the next start.
        drop(self.disk.remove_file(&self.temporary).await);
    }

    /// Bytes that the file has so far, without what its end will take.
    #[must_use]
    pub fn file_bytes(&self) -> u64 {
        self.out.offset()
    }

    /// Bytes of memory that it has taken at most, about.
    #[must_use]
    pub fn memory_bytes_max(&self) -> usize {
        let directory = crate::format::pack::DIRECTORY_BYTES_MAX;
        self.out.memory_bytes() + directory + self.fences.bytes() + self.scratch_bytes_max
    }

    async fn close_directory(&mut self) -> Result<()> {
        if self.directory.is_empty() {
            return Ok(());
        }
        let offset = self.out.offset();
        self.fences.push(&self.directory.fence(offset));
        let block = self.directory.finish(offset);
        Ok(self.out.extend(&block).await?)
    }

    async fn complete(&mut self) -> Result<PublishedPack> {
        self.close_directory().await?;
        let at = self.out.offset();
        let (fences, checksum, blocks) = std::mem::take(&mut self.fences).finish(at);
        self.out.extend(&fences).await?;
        let sums = [self.slices, self.records, self.data_bytes];
        let foot = Foot::new(&(at..self.out.offset()), checksum, blocks, sums, self.head_checksum);
        self.out.extend(&foot.encode()).await?;
        let file_bytes = self.out.finish().await?;
        debug_assert!(file_bytes >= (HEAD_BYTES + FOOT_BYTES) as u64, "head and foot are there");
        self.give_name().await?;
        let Self { name, slices, records, data_bytes, .. } = *self;
        Ok(PublishedPack { name, file_bytes, slices, records, data_bytes })
    }

    async fn give_name(&self) -> Result<()> {
        let path = self.folder.join(self.name.to_string());
        if self.disk.metadata(&path).await?.is_some() {
            let what = "a pack of this name is to be published, and there is one; move it away".to_owned();
            return Err(Corruption { path, offset: 0, what }.into());
        }
        self.disk.rename(&self.temporary, &path).await?;
        if let Err(error) = self.disk.sync_folder(&self.folder).await {
            // A second fsync would prove nothing. If the removal fails too, there is no more to be done here.
            drop(self.disk.remove_file(&path).await);
            return Err(Error::from(error));
        }
        Ok(())
    }
}
