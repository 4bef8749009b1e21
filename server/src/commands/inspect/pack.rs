use std::path::Path;

use logtank_engine::error::Error;
use logtank_engine::format::{Cell, PackName};
use logtank_engine::ids::{IndexCode, Position};
use logtank_engine::io::parent;
use logtank_engine::packs::{Cursor, OpenPack, OpenSlice};
use logtank_os::disk::UringDisk;
use logtank_wire::record::RecordView;
use serde_json::json;

use super::output::{Output, moment};
use crate::record_json::RecordJson;

/// Read at once.
const WINDOW_BYTES: usize = 1 << 20;
/// Of a slice, about as many bytes are read at once.
const STRETCH_BYTES: u64 = 1 << 18;

/// What of a pack is shown beyond its head and its foot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    /// Only the slice of this index.
    pub(super) index: Option<&'a IndexCode>,
    /// Each slice.
    pub(super) list: bool,
    /// The records of each slice that is shown.
    pub(super) records: bool,
}

/// A pack: what it holds in all, and the slices that are wanted.
pub(super) async fn pack(
    disk: &UringDisk,
    path: &Path,
    name: PackName,
    wanted: Wanted<'_>,
    out: &mut Output,
) -> anyhow::Result<()> {
    let pack = match OpenPack::open(disk, parent(path), name).await {
        Err(Error::Corrupt(damage)) => return Ok(out.damage(damage)?),
        pack => pack?,
    };
    head(&pack, out)?;
    for finding in pack.findings() {
        out.damage(finding)?;
    }
    if let Some(code) = wanted.index {
        return match pack.lookup(code).await {
            Ok(Some(slice)) => self::slice(&slice, wanted.records, out).await,
            Ok(None) => Ok(out.row("no slice", json!({ "index": code.as_str() }))?),
            Err(Error::Corrupt(damage)) => Ok(out.damage(damage)?),
            Err(error) => Err(error.into()),
        };
    }
    if !wanted.list && !wanted.records {
        return Ok(());
    }
    let mut cursor = Cursor::new(&pack, Cell::ALL, WINDOW_BYTES);
    let mut said = None;
    loop {
        match cursor.advance().await {
            Ok(None) => return Ok(()),
            Ok(Some(slice)) => {
                // Each slice of a directory block says the same of it.
                if slice.finding() != said.as_ref() {
                    said = slice.finding().cloned();
                    said.iter().try_for_each(|finding| out.damage(finding))?;
                }
                self::slice(&slice, wanted.records, out).await?;
            }
            Err(Error::Corrupt(damage)) => out.damage(damage)?,
            Err(error) => return Err(error.into()),
        }
    }
}

fn head(pack: &OpenPack<UringDisk>, out: &mut Output) -> anyhow::Result<()> {
    let (name, fences) = (pack.name(), pack.fences());
    let longest = (0..fences.len()).map(|number| fences.get(number).longest_bytes()).max();
    let range = name.range();
    Ok(out.block(
        "pack",
        json!({
            "kind_of_pack": name.kind().word(),
            "first": range.first().to_string(),
            "end": range.end().to_string(),
            "first_time": moment(range.first().epoch().millis()),
            "end_time": moment(range.end().epoch().millis()),
            "generation": name.generation(),
            "cell": name.cell().to_string(),
            "created": pack.created().map(|created| moment(created.0)),
            "file_bytes": pack.file_bytes(),
            "indexes": pack.foot().map(|foot| foot.slices()),
            "records": pack.foot().map(|foot| foot.records()),
            "bytes": pack.foot().map(|foot| foot.data_bytes()),
            "directory_blocks": fences.len(),
            "longest_slice": longest,
        }),
    )?)
}

async fn slice(slice: &OpenSlice<UringDisk>, records: bool, out: &mut Output) -> anyhow::Result<()> {
    let info = slice.info();
    let dropped = (info.dropped > Position::ZERO).then(|| info.dropped.to_string());
    out.row(
        "slice",
        json!({
            "index": slice.code().as_str(),
            "kind_of_slice": info.kind.word(),
            "records": info.records,
            "bytes": info.bytes,
            "offset": slice.data().start,
            "first": info.first.to_string(),
            "lacks_deletions_before": dropped,
        }),
    )?;
    if records { self::records(slice, out).await } else { Ok(()) }
}

async fn records(slice: &OpenSlice<UringDisk>, out: &mut Output) -> anyhow::Result<()> {
    let mut at = 0;
    while let Some(cut) = slice.cut(at, STRETCH_BYTES).filter(|cut| !cut.bytes().is_empty()) {
        match slice.read_raw(cut.bytes()).await {
            Ok(bytes) => {
                let mut rest = &*bytes;
                while !rest.is_empty() {
                    let offset = cut.end.offset - rest.len() as u64;
                    let (view, length) = match RecordView::parse(rest) {
                        Ok(record) => record,
                        Err(error) => {
                            out.damage(format!(
                                "the record at byte {offset} of the slice can't be read: {error}"
                            ))?;
                            break;
                        }
                    };
                    out.row("record", json!({ "offset": offset, "record": RecordJson::from_view(&view) }))?;
                    rest = &rest[length..];
                }
            }
            Err(Error::Corrupt(damage)) => out.damage(damage)?,
            Err(error) => return Err(error.into()),
        }
        at = cut.end.offset;
    }
    Ok(())
}
