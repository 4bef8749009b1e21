//! Publishing what the targets of one pass get.
//!
//! For few targets each file is synced by itself. For many, all are written under temporary names, the
//! filesystem is synced once, all get their names, and it is synced again: two calls in place of thousands.
//! Only one file is open at a time.
//!
//! A sidecar is written under its final name at once: it means nothing before its segment has its name, and
//! the segment gets it only when both are durable.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use logtank_wire::record::RecordView;

use super::outcome::DealtIndex;
use super::split::{Part, REJECTED, Target};
use crate::error::Result;
use crate::format::index::{EpochRange, SidecarBuilder};
use crate::format::layout::Layout;
use crate::format::names::{SegmentKind, SegmentName, sidecar_of};
use crate::ids::{Epoch, IndexCode};
use crate::index_log::segment_writer::SegmentWriter;
use crate::io::buffers::AlignedBuf;
use crate::io::disk::{Disk, DiskFile, DiskResult, Transfer, parent, temporary_beside};
use crate::limits::{DIRECT_BLOCK_BYTES, MIB};

/// From this many targets on, syncing the filesystem twice costs less than syncing three files for each.
const MANY: usize = 16;
/// Files shorter than this go through the page cache: direct I/O would cost them another call to cut the
/// padding off, and they are read again soon.
const DIRECT_BYTES_MIN: usize = 256 * 1024;
/// Bytes of one write.
const CHUNK_BYTES: usize = MIB as usize;

/// Publishes what the targets of one pass get.
pub(super) struct Publisher<'p, D: Disk> {
    disk: &'p D,
    layout: &'p Layout,
    epoch: Epoch,
    // What goes out in pieces.
    spilled: Option<(Target, SegmentWriter<D>)>,
}

/// A segment that is written and has not its name yet.
struct Written {
    temporary: PathBuf,
    path: PathBuf,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sync {
    EachFile,
    Filesystem,
}

impl<'p, D: Disk> Publisher<'p, D> {
    pub(super) fn new(disk: &'p D, layout: &'p Layout, epoch: Epoch) -> Self {
        Self { disk, layout, epoch, spilled: None }
    }

    /// Writes a piece of what `target` gets: it is too much for memory. The rest goes to [`Self::publish`].
    pub(super) async fn spill(&mut self, target: &Target, part: &Part) -> Result<()> {
        let (_, writer) = match &mut self.spilled {
            Some(spilled) => spilled,
            None => {
                let folder = self.folder(target);
                self.create_folder(&folder, Sync::EachFile).await?;
                let writer =
                    SegmentWriter::create(self.disk, &folder, SegmentKind::Unsorted, self.epoch).await?;
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
        let sync = if parts.len() < MANY { Sync::EachFile } else { Sync::Filesystem };
        let mut written = Vec::new();
        for (target, part) in parts {
            indexes.extend(dealt(&target, part.records, part.bytes.len() as u64));
            let segment = self.write(&target, part, sync).await?;
            match sync {
                Sync::EachFile => {
                    self.disk.rename(&segment.temporary, &segment.path).await?;
                    self.disk.sync_folder(parent(&segment.path)).await?;
                }
                Sync::Filesystem => written.push(segment),
            }
        }
        if !written.is_empty() {
            self.disk.sync_filesystem(self.layout.data()).await?;
            for segment in written {
                self.disk.rename(&segment.temporary, &segment.path).await?;
            }
            self.disk.sync_filesystem(self.layout.data()).await?;
        }
        Ok(())
    }

    async fn write(&self, target: &Target, part: Part, sync: Sync) -> Result<Written> {
        let name = SegmentName { time: self.epoch, kind: SegmentKind::Unsorted, records: part.records };
        let path = self.folder(target).join(name.to_string());
        let mut sidecar = SidecarBuilder::new();
        for (bytes, docid) in records(&part.bytes) {
            sidecar.push(bytes, docid);
        }
        let sidecar = sidecar.finish(SegmentKind::Unsorted, EpochRange::only(self.epoch)).encode();
        let temporary = temporary_beside(&path);
        self.write_file(&temporary, &part.bytes, sync).await?;
        self.write_file(&sidecar_of(&path), &sidecar, sync).await?;
        Ok(Written { temporary, path })
    }

    async fn write_file(&self, path: &Path, bytes: &[u8], sync: Sync) -> Result<()> {
        let transfer = if bytes.len() < DIRECT_BYTES_MIN { Transfer::Cached } else { Transfer::Direct };
        let file = match self.disk.create(path, transfer).await {
            // Nearly always the folder is there, so it is not looked for before.
            Err(error) if error.is_not_found() => {
                self.create_folder(parent(path), sync).await?;
                self.disk.create(path, transfer).await?
            }
            // Of an attempt that failed in this process, or of no use to anyone.
            Err(error) if error.source.kind() == ErrorKind::AlreadyExists => {
                self.disk.remove_file(path).await?;
                self.disk.create(path, transfer).await?
            }
            result => result?,
        };
        write_whole::<D>(&file, bytes, transfer).await?;
        match sync {
            Sync::EachFile => file.sync().await?,
            Sync::Filesystem => {}
        }
        Ok(())
    }

    async fn create_folder(&self, folder: &Path, sync: Sync) -> DiskResult<()> {
        self.disk.create_folder(folder).await?;
        match sync {
            Sync::Filesystem => Ok(()),
            Sync::EachFile => {
                // Each folder up to the data directory may be new.
                for above in
                    folder.ancestors().skip(1).take_while(|above| above.starts_with(self.layout.data()))
                {
                    self.disk.sync_folder(above).await?;
                }
                Ok(())
            }
        }
    }

    fn folder(&self, target: &Target) -> PathBuf {
        match index_code(target) {
            Some(code) => self.layout.segments(&code),
            None => self.layout.rejected(),
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
