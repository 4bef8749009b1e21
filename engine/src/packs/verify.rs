//! Verifying a pack: each byte of it, and what the records must be.

use std::path::Path;

use logtank_wire::record::RecordView;

use super::cursor::Cursor;
use super::open_pack::OpenPack;
use super::slice::OpenSlice;
use crate::error::{Corruption, Error, Result};
use crate::format::pack::{Cell, PackName, SliceKind};
use crate::index_log::docid;
use crate::io::disk::Disk;
use crate::limits::MIB;

/// Bytes that are read at once.
const WINDOW_BYTES: usize = MIB as usize;
/// Records are parsed from stretches of about this length.
const STRETCH_BYTES: u64 = MIB / 4;

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifiedPack {
    /// Slices that were read.
    pub slices: u64,
    /// Records that were read.
    pub records: u64,
    /// Bytes of records that were read.
    pub bytes: u64,
    /// What is wrong: nothing, if all is well.
    pub findings: Vec<Corruption>,
}

/// Reads all of a pack and checks each byte against its checksum, labels against the directory, the directory against the
/// fences, the counts against the foot; that each record can be read and has a docid; and, in sorted and base slices, that they
/// are ordered by docid, each once. Changes nothing.
///
/// # Errors
/// The disk's ("not found" if it was superseded and removed); damage is not an error here but a finding.
pub async fn verify_pack<D: Disk>(disk: &D, folder: &Path, name: PackName) -> Result<VerifiedPack> {
    let mut verified = VerifiedPack::default();
    let pack = match OpenPack::open(disk, folder, name).await {
        Err(Error::Corrupt(corruption)) => {
            verified.findings.push(corruption);
            return Ok(verified);
        }
        pack => pack?,
    };
    verified.findings.extend_from_slice(pack.findings());
    let mut cursor = Cursor::new(&pack, Cell::ALL, WINDOW_BYTES);
    let mut of_directory = None;
    loop {
        let slice = match cursor.advance().await {
            Ok(None) => break,
            Ok(Some(slice)) => slice,
            Err(Error::Corrupt(corruption)) => {
                verified.findings.push(corruption);
                continue;
            }
            Err(error) => return Err(error),
        };
        // Each slice of a directory block tells the same of it.
        if slice.finding() != of_directory.as_ref() {
            of_directory = slice.finding().cloned();
            verified.findings.extend(of_directory.clone());
        }
        verify_slice(&slice, &mut verified).await?;
    }
    let counted = [verified.slices, verified.records, verified.bytes];
    if let Some(foot) = pack.foot()
        && verified.findings.is_empty()
        && counted != [foot.slices(), foot.records(), foot.data_bytes()]
    {
        let what = "the foot counts other slices, records or bytes than are there";
        verified.findings.push(pack.file().damage(pack.file_bytes(), what));
    }
    Ok(verified)
}

async fn verify_slice<D: Disk>(slice: &OpenSlice<D>, verified: &mut VerifiedPack) -> Result<()> {
    let info = slice.info();
    verified.slices += 1;
    verified.bytes += info.bytes;
    let ordered = info.kind != SliceKind::Unsorted;
    let mut before: Option<Vec<u8>> = None;
    let (mut at, mut records) = (0, 0);
    while let Some(cut) = slice.cut(at, STRETCH_BYTES).filter(|cut| !cut.bytes().is_empty()) {
        let bytes = match slice.read_raw(cut.bytes()).await {
            Err(Error::Corrupt(_)) => {
                // Each damaged block is listed; the records after the first can't be ordered.
                return slice.verify_blocks(&mut verified.findings).await;
            }
            bytes => bytes?,
        };
        let mut rest = &*bytes;
        while !rest.is_empty() {
            let here = cut.end.offset - rest.len() as u64;
            let refuse = |verified: &mut VerifiedPack, what| {
                verified.findings.push(slice.damage(here, what));
                Ok(())
            };
            let Ok((record, length)) = RecordView::parse(rest) else {
                return refuse(verified, "a record can't be read");
            };
            let Some(own) = record.docid else { return refuse(verified, "a record without docid") };
            let in_order = before.as_ref().is_none_or(|before| docid::compare(before, own).is_lt());
            if ordered && !in_order {
                return refuse(verified, "the docid does not come after the one before");
            }
            let before = before.get_or_insert_default();
            before.clear();
            before.extend_from_slice(own);
            rest = &rest[length..];
            records += 1;
        }
        if records != cut.end.record {
            verified
                .findings
                .push(slice.damage(cut.end.offset, "another record stands here than the table says"));
            return Ok(());
        }
        at = cut.end.offset;
    }
    verified.records += records;
    Ok(())
}
