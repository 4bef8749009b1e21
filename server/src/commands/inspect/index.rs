use std::io::Read;
use std::path::Path;

use logtank_engine::format::{SegmentName, Sidecar};
use logtank_engine::index_log::{SidecarOrigin, load_sidecar};
use logtank_os::disk::UringDisk;
use logtank_wire::record::{DecodeError, RecordView};
use serde_json::json;

use super::output::{Output, moment};
use crate::record_json::RecordJson;

/// Read at once when records are printed.
const CHUNK_BYTES: usize = 1 << 20;

/// A segment of an index, with what its sidecar says.
pub(super) async fn segment(
    disk: &UringDisk,
    path: &Path,
    name: SegmentName,
    records: bool,
    out: &mut Output,
) -> anyhow::Result<()> {
    out.block(
        "segment of an index",
        json!({
            "time": moment(name.time.millis()),
            "kind_of_segment": name.kind.word(),
            "records": name.records,
            "file_bytes": std::fs::metadata(path)?.len(),
        }),
    )?;
    match load_sidecar(disk, path, name).await {
        Ok((sidecar, origin)) => {
            let origin = match origin {
                SidecarOrigin::Read => "read",
                SidecarOrigin::Missing => "none there, made from the segment",
                SidecarOrigin::Outdated => "of an earlier file that held the same, made from the segment",
                SidecarOrigin::Damaged(damage) => {
                    out.damage(damage)?;
                    "damaged, made from the segment"
                }
            };
            print(&sidecar, Some(origin), out)?;
        }
        Err(logtank_engine::error::Error::Corrupt(damage)) => out.damage(damage)?,
        Err(error) => return Err(error.into()),
    }
    if records { self::records(path, out) } else { Ok(()) }
}

/// A sidecar by itself.
pub(super) fn sidecar(path: &Path, out: &mut Output) -> anyhow::Result<()> {
    match Sidecar::decode(&std::fs::read(path)?) {
        Ok(sidecar) => print(&sidecar, None, out),
        Err(error) => Ok(out.damage(error)?),
    }
}

fn print(sidecar: &Sidecar, origin: Option<&str>, out: &mut Output) -> anyhow::Result<()> {
    let header = sidecar.header();
    Ok(out.block(
        "sidecar",
        json!({
            "origin": origin,
            "kind_of_segment": header.kind.word(),
            "records": header.records,
            "bytes": header.bytes,
            "first_epoch": header.epochs.first.millis(),
            "last_epoch": header.epochs.last.millis(),
            "epochs_inferred": header.inferred,
            "torn_tail": header.torn,
        }),
    )?)
}

/// The records of a segment, which is nothing but records.
fn records(path: &Path, out: &mut Output) -> anyhow::Result<()> {
    let mut file = std::fs::File::open(path)?;
    let (mut buffer, mut at, mut offset) = (Vec::new(), 0, 0u64);
    loop {
        match RecordView::parse(&buffer[at..]) {
            Ok((view, length)) => {
                out.row("record", json!({ "offset": offset, "record": RecordJson::from_view(&view) }))?;
                at += length;
                offset += length as u64;
            }
            Err(DecodeError::Incomplete) => {
                buffer.drain(..at);
                at = 0;
                let had = buffer.len();
                file.by_ref().take(CHUNK_BYTES as u64).read_to_end(&mut buffer)?;
                if buffer.len() == had {
                    if had > 0 {
                        out.damage(format!("the last record, at byte {offset}, is cut off"))?;
                    }
                    return Ok(());
                }
            }
            Err(error @ DecodeError::Malformed { .. }) => {
                out.damage(format!("the record at byte {offset} can't be read: {error}"))?;
                return Ok(());
            }
        }
    }
}
