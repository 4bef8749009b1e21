//! Finding a segment's sidecar, or making one from the segment itself.

use std::path::Path;

use logtank_wire::record::{DecodeError, RecordView};

use super::docid::compare;
use super::segment_writer::CHUNK_BYTES;
use crate::error::{Corruption, Error, Result};
use crate::format::index::{Sidecar, SidecarBuilder, SidecarError, SidecarHeader};
use crate::format::names::{self, SegmentKind, SegmentName};
use crate::ids::IndexCode;
use crate::io::buffers::AlignedBuf;
use crate::io::disk::{Disk, DiskFile, DiskResult, Transfer};
use crate::limits::{MIB, SIDECAR_BLOCK_BYTES};
use crate::store::Store;

/// Where a segment's sidecar came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SidecarOrigin {
    /// It was there, whole.
    Read,
    /// There was none (a tree of the original, or someone removed it): made from the segment's bytes.
    Missing,
    /// It is of an earlier file of this name that held exactly the same records: the original has written the segment
    /// anew. Made from the segment's bytes.
    Outdated,
    /// It was damaged: made from the segment's bytes, which hold exactly the records that the name says. To
    /// be reported.
    Damaged(Corruption),
}

/// A record that is not whole within this many bytes is taken for a wrong length, where there is no sidecar
/// to tell. The original reads records of at most 10 MB.
const SCAN_RECORD_BYTES_MAX: usize = 64 * MIB as usize;
/// Enough for the sidecar of most segments.
const FIRST_READ_BYTES: usize = 16 * 1024;

/// The sidecar of the segment of this name at `segment`: read, or else made from the segment's bytes (which
/// reads all of them). Writes nothing.
///
/// # Errors
/// The disk's; corruption if the segment can't be read to its end as records, or if both sidecar and segment
/// are damaged. A torn tail is no error where there is no sidecar: the sidecar then covers the whole records.
pub async fn load<D: Disk>(disk: &D, segment: &Path, name: SegmentName) -> Result<(Sidecar, SidecarOrigin)> {
    let path = names::sidecar_of(segment);
    let found = match read(disk, &path).await {
        Ok(Ok(sidecar)) => sidecar.checked_for(name),
        Ok(Err(error)) => Err(error),
        Err(error) if error.is_not_found() => {
            let file = disk.open(segment, Transfer::Direct).await?;
            return Ok((scan(&file, name, Demand::WholeRecords).await?, SidecarOrigin::Missing));
        }
        Err(error) => return Err(error.into()),
    };
    match found {
        Ok(sidecar) => match written_anew(disk, segment, name, &sidecar).await? {
            Some(made) => Ok((made, SidecarOrigin::Outdated)),
            None => Ok((sidecar, SidecarOrigin::Read)),
        },
        Err(error) => {
            let corruption = Corruption { path, offset: error.offset, what: error.what.to_owned() };
            let file = disk.open(segment, Transfer::Direct).await?;
            Ok((scan(&file, name, Demand::AsNamed).await?, SidecarOrigin::Damaged(corruption)))
        }
    }
}

/// The sidecar of a segment that the original has written anew since `before` was made: the same records in other bytes.
async fn written_anew<D: Disk>(
    disk: &D,
    segment: &Path,
    name: SegmentName,
    before: &Sidecar,
) -> Result<Option<Sidecar>> {
    if name.kind != SegmentKind::Optimized || !may_be_another(disk, segment, before).await? {
        return Ok(None);
    }
    Ok(reread(disk, segment, name).await?.and_then(|made| made.written_anew(before)))
}

/// Whether the file is not the one that the sidecar was made of, as far as its length, its time and its first bytes tell.
/// Ours is never younger than its sidecar, so nearly always nothing needs to be read.
async fn may_be_another<D: Disk>(disk: &D, segment: &Path, before: &Sidecar) -> Result<bool> {
    let Some(there) = disk.metadata(segment).await? else { return Ok(false) };
    if there.len != before.header().bytes {
        return Ok(true);
    }
    let sidecar = disk.metadata(&names::sidecar_of(segment)).await?;
    if sidecar.is_none_or(|sidecar| sidecar.modified >= there.modified) {
        return Ok(false);
    }
    let file = disk.open(segment, Transfer::Direct).await?;
    let (result, first) = file.read_at(AlignedBuf::with_capacity(SIDECAR_BLOCK_BYTES), 0).await;
    result?;
    Ok(!first.is_empty() && !before.verify_block(0, &first))
}

/// A sidecar made from a segment's bytes, if they are exactly the records that its name says, in the order of their
/// docids if they must be.
///
/// # Errors
/// The disk's.
pub(super) async fn reread<D: Disk>(disk: &D, segment: &Path, name: SegmentName) -> Result<Option<Sidecar>> {
    let file = disk.open(segment, Transfer::Direct).await?;
    match scan(&file, name, Demand::InOrder).await {
        Ok(made) => Ok(Some(made)),
        Err(Error::Corrupt(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn read<D: Disk>(disk: &D, path: &Path) -> DiskResult<Result<Sidecar, SidecarError>> {
    let file = disk.open(path, Transfer::Cached).await?;
    let (result, buffer) = file.read_at(AlignedBuf::with_capacity(FIRST_READ_BYTES), 0).await;
    result?;
    // The length in the verified header bounds what is read.
    let whole = match SidecarHeader::decode(&buffer) {
        Ok(header) => header.sidecar_bytes().and_then(|bytes| usize::try_from(bytes).ok()),
        Err(error) => return Ok(Err(error)),
    };
    if whole.map(|bytes| bytes as u64) != Some(file.len().await?) {
        return Ok(Err(SidecarError { offset: 24, what: "its length is not what its header says" }));
    }
    let Some(whole) = whole.filter(|&bytes| bytes > buffer.len()) else {
        return Ok(Sidecar::decode(&buffer));
    };
    let (result, buffer) = file.read_at(AlignedBuf::with_capacity(whole), 0).await;
    result?;
    Ok(Sidecar::decode(&buffer))
}

/// Publishes the sidecar of a segment that has none or a damaged one; does nothing if it has an intact one.
///
/// Several may do this at once, also in several processes: a segment never changes, so all come to the same
/// bytes, and one of them publishes. (A temporary file that a crash left keeps it from being published until
/// the cleaner removes that, an hour after it first saw it; the sidecar is returned all the same.)
///
/// # Errors
/// As [`load`].
pub async fn rebuild_sidecar<D: Disk>(
    store: &Store<D>,
    code: &IndexCode,
    name: SegmentName,
) -> Result<(Sidecar, SidecarOrigin)> {
    let (sidecar, origin) = load(store.disk(), &store.layout().segment(code, name), name).await?;
    if origin != SidecarOrigin::Read {
        store.publish_unless_begun(&store.layout().sidecar(code, name), &sidecar.encode()).await?;
    }
    Ok((sidecar, origin))
}

/// Publishes a sidecar that [`load`] made in place of an outdated one.
///
/// # Errors
/// The disk's.
pub(crate) async fn replace_outdated<D: Disk>(
    store: &Store<D>,
    code: &IndexCode,
    name: SegmentName,
    sidecar: &Sidecar,
) -> Result<()> {
    Ok(store.publish_unless_begun(&store.layout().sidecar(code, name), &sidecar.encode()).await?)
}

// What a segment must hold to be taken as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Demand {
    // Whole records, and perhaps a torn tail.
    WholeRecords,
    // As many records as its name says, and nothing else.
    AsNamed,
    // The same, and in order of their docids, unless it is unsorted.
    InOrder,
}

async fn scan<F: DiskFile>(file: &F, name: SegmentName, demand: Demand) -> Result<Sidecar> {
    let file_bytes = file.len().await?;
    let corrupt =
        |offset: u64, what: &str| Corruption { path: file.path().to_owned(), offset, what: what.to_owned() };
    let mut builder = SidecarBuilder::of(name.kind);
    let (ordered, mut last) = (demand == Demand::InOrder && name.kind != SegmentKind::Unsorted, Vec::new());
    let mut window = Window { file, file_bytes, bytes: Vec::new(), at: 0, next: 0, chunk: None };
    while builder.records() < name.records {
        match RecordView::parse(window.rest()) {
            Ok((record, length)) => {
                let Some(docid) = record.docid else {
                    // Zeros read as records without anything.
                    if window.only_zeros_follow().await? {
                        break;
                    }
                    return Err(corrupt(builder.bytes(), "a record without docid").into());
                };
                if ordered && builder.records() > 0 && compare(&last, docid).is_ge() {
                    return Err(corrupt(builder.bytes(), "a docid out of order").into());
                }
                if ordered {
                    last.clear();
                    last.extend_from_slice(docid);
                }
                builder.push(&window.rest()[..length], docid);
                window.at += length;
            }
            Err(DecodeError::Incomplete) => {
                if window.rest().len() > SCAN_RECORD_BYTES_MAX {
                    return Err(corrupt(builder.bytes(), "a record that does not end within 64 MiB").into());
                }
                if !window.grow().await? {
                    break;
                }
            }
            Err(DecodeError::Malformed { offset, what }) => {
                return Err(corrupt(builder.bytes() + offset as u64, what).into());
            }
        }
    }
    let torn = builder.records() < name.records || builder.bytes() < file_bytes;
    if torn && demand != Demand::WholeRecords {
        let what = "its sidecar is damaged, and here it stops being the records that its name says";
        return Err(corrupt(builder.bytes(), what).into());
    }
    Ok(builder.finish_found(name.kind, name.time, torn))
}

// The part of a file that is being parsed.
struct Window<'f, F> {
    file: &'f F,
    file_bytes: u64,
    bytes: Vec<u8>,
    at: usize,
    next: u64,
    chunk: Option<AlignedBuf>,
}

impl<F: DiskFile> Window<'_, F> {
    fn rest(&self) -> &[u8] {
        &self.bytes[self.at..]
    }

    // Reads on, to at least twice as many bytes as are left, so that a long record is not parsed over and
    // over. False at the end of the file.
    async fn grow(&mut self) -> Result<bool> {
        self.bytes.drain(..std::mem::take(&mut self.at));
        let enough = self.bytes.len() * 2 + 1;
        let before = self.bytes.len();
        while self.bytes.len() < enough && self.next < self.file_bytes {
            let chunk = self.chunk.take().unwrap_or_else(|| AlignedBuf::with_capacity(CHUNK_BYTES));
            let (result, chunk) = self.file.read_at(chunk, self.next).await;
            result?;
            if chunk.is_empty() {
                // Cut while it is read: as long as it is now.
                self.file_bytes = self.next;
            }
            self.next += chunk.len() as u64;
            self.bytes.extend_from_slice(&chunk);
            self.chunk = Some(chunk);
        }
        Ok(self.bytes.len() > before)
    }

    async fn only_zeros_follow(&mut self) -> Result<bool> {
        loop {
            if self.rest().iter().any(|&byte| byte != 0) {
                return Ok(false);
            }
            self.at = self.bytes.len();
            if !self.grow().await? {
                return Ok(true);
            }
        }
    }
}
