//! Publishing what the targets of one pass get.
//!
//! Files are written under their final names at once: nobody takes a segment at or after the checkpoint for one, and
//! the first dealing after an attempt that ended removes what it left. For few targets each file is synced by
//! itself. For many, the filesystem is synced once for all.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::PathBuf;

use logtank_wire::record::RecordView;

use super::fate::REJECTED;
use super::outcome::DealtIndex;
use super::split::{Part, Target};
use crate::error::Result;
use crate::format::index::{EpochRange, SidecarBuilder};
use crate::format::names::{SegmentKind, SegmentName, sidecar_of};
use crate::ids::{Epoch, IndexCode};
use crate::index_log::segment_writer::SegmentWriter;
use crate::io::buffers::AlignedBuf;
use crate::io::disk::{Disk, DiskFile, DiskResult, NewFile, Transfer, parent};
use crate::limits::{DIRECT_BLOCK_BYTES, MIB};
use crate::store::Store;

/// From this many targets on, syncing the filesystem once costs less than syncing two files and a folder for each.
const MANY: usize = 16;
/// Files shorter than this go through the page cache: direct I/O would cost them another call to cut the
/// padding off, and they are read again soon.
const DIRECT_BYTES_MIN: usize = 256 * 1024;
/// Bytes of one write.
const CHUNK_BYTES: usize = MIB as usize;
/// Of many targets, this much is handed to the disk at once.
const BATCH_BYTES: usize = MIB as usize;

/// Publishes what the targets of one pass get.
pub(super) struct Publisher<'p, D: Disk> {
    store: &'p Store<D>,
    epoch: Epoch,
    // What goes out in pieces.
    spilled: Option<(Target, SegmentWriter<D>)>,
}

impl<'p, D: Disk> Publisher<'p, D> {
    pub(super) fn new(store: &'p Store<D>, epoch: Epoch) -> Self {
        Self { store, epoch, spilled: None }
    }

    /// Writes a piece of what `target` gets: it is too much for memory. The rest goes to [`Self::publish`].
    pub(super) async fn spill(&mut self, target: &Target, part: &Part) -> Result<()> {
        let (_, writer) = match &mut self.spilled {
            Some(spilled) => spilled,
            None => {
                let folder = self.folder(target);
                self.store.create_folder(&folder).await?;
                let writer =
                    SegmentWriter::create(self.store, &folder, SegmentKind::Unsorted, self.epoch).await?;
                self.spilled.insert((target.clone(), writer))
            }
        };
        for (bytes, docid) in records(&part.bytes) {
            writer.push(bytes, docid).await?;
        }
        Ok(())
    }

    /// Publishes all of it; when this returns, it is durable. Adds what each index got to `indexes`.
    pub(super) async fn publish(
        mut self,
        mut parts: BTreeMap<Target, Part>,
        indexes: &mut Vec<DealtIndex>,
    ) -> Result<()> {
        if let Some((target, _)) = &self.spilled {
            let target = target.clone();
            if let Some(part) = parts.remove(&target) {
                self.spill(&target, &part).await?;
            }
            let (_, writer) = self.spilled.take().expect("it was there a moment ago");
            let published = writer.publish(EpochRange::only(self.epoch)).await?;
            indexes.extend(dealt(&target, published.name.records, published.bytes));
        }
        if parts.len() < MANY {
            for (target, part) in parts {
                indexes.extend(dealt(&target, part.records, part.bytes.len() as u64));
                self.publish_one(&target, part).await?;
            }
            return Ok(());
        }
        self.write_many(parts, indexes).await?;
        Ok(self.store.disk().sync_filesystem(self.store.layout().data()).await?)
    }

    async fn publish_one(&self, target: &Target, part: Part) -> Result<()> {
        let [segment, sidecar] = self.files(target, part);
        let folder = parent(&segment.path).to_owned();
        for file in [segment, sidecar] {
            self.write_file(&file).await?.sync().await?;
        }
        Ok(self.store.disk().sync_folder(&folder).await?)
    }

    /// Writes the files of all targets, not durably.
    async fn write_many(
        &self,
        parts: BTreeMap<Target, Part>,
        indexes: &mut Vec<DealtIndex>,
    ) -> DiskResult<()> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        for (target, part) in parts {
            indexes.extend(dealt(&target, part.records, part.bytes.len() as u64));
            for file in self.files(&target, part) {
                if file.bytes.len() >= DIRECT_BYTES_MIN {
                    self.write_file(&file).await?;
                    continue;
                }
                bytes += file.bytes.len();
                batch.push(file);
            }
            if bytes >= BATCH_BYTES {
                self.store.disk().create_all(std::mem::take(&mut batch)).await?;
                bytes = 0;
            }
        }
        self.store.disk().create_all(batch).await
    }

    /// The segment of a target, and its sidecar.
    fn files(&self, target: &Target, part: Part) -> [NewFile; 2] {
        let name = SegmentName { time: self.epoch, kind: SegmentKind::Unsorted, records: part.records };
        let path = self.folder(target).join(name.to_string());
        let mut sidecar = SidecarBuilder::new();
        for (bytes, docid) in records(&part.bytes) {
            sidecar.push(bytes, docid);
        }
        let sidecar = sidecar.finish(SegmentKind::Unsorted, EpochRange::only(self.epoch)).encode();
        let sidecar = NewFile { path: sidecar_of(&path), bytes: sidecar };
        [NewFile { path, bytes: part.bytes }, sidecar]
    }

    async fn write_file(&self, NewFile { path, bytes }: &NewFile) -> DiskResult<D::File> {
        let transfer = if bytes.len() < DIRECT_BYTES_MIN { Transfer::Cached } else { Transfer::Direct };
        let file = match self.store.disk().create(path, transfer).await {
            // Nearly always the folder is there, so it is not looked for before.
            Err(error) if error.is_not_found() => {
                self.store.create_folder(parent(path)).await?;
                self.store.disk().create(path, transfer).await?
            }
            // Of no use to anyone: what an attempt before left was removed.
            Err(error) if error.source.kind() == ErrorKind::AlreadyExists => {
                self.store.disk().remove_file(path).await?;
                self.store.disk().create(path, transfer).await?
            }
            result => result?,
        };
        write_whole::<D>(&file, bytes, transfer).await?;
        Ok(file)
    }

    fn folder(&self, target: &Target) -> PathBuf {
        match index_code(target) {
            Some(code) => self.store.layout().segments(&code),
            None => self.store.layout().rejected(),
        }
    }
}

async fn write_whole<D: Disk>(file: &D::File, bytes: &[u8], transfer: Transfer) -> DiskResult<()> {
    let mut buffer = AlignedBuf::with_capacity(bytes.len().min(CHUNK_BYTES));
    let mut padded = 0;
    for chunk in bytes.chunks(CHUNK_BYTES) {
        buffer.clear();
        buffer.extend(chunk);
        if transfer == Transfer::Direct {
            buffer.pad_to(DIRECT_BLOCK_BYTES);
        }
        let length = buffer.len() as u64;
        let result;
        (result, buffer) = file.write_at(buffer, padded).await;
        result?;
        padded += length;
    }
    if padded > bytes.len() as u64 { file.set_len(bytes.len() as u64).await } else { Ok(()) }
}

/// The records of a part, and their docids.
fn records(mut bytes: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let (view, length) = RecordView::parse(bytes).expect("it was encoded, or parsed, a moment ago");
        let (record, rest) = bytes.split_at(length);
        bytes = rest;
        Some((record, view.docid.unwrap_or_default()))
    })
}

fn index_code(target: &[u8]) -> Option<IndexCode> {
    (target != REJECTED).then(|| IndexCode::new(target).expect("the pass lets only valid codes through"))
}

fn dealt(target: &[u8], records: u64, bytes: u64) -> Option<DealtIndex> {
    index_code(target).map(|code| DealtIndex { code, records, bytes })
}
