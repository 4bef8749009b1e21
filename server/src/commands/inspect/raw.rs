use std::path::Path;

use logtank_engine::format::{
    BlockError, FRAMES_OFFSET, HEADER_BYTES, RawHeader as Header, RawSeal as Seal, SealedBy,
};
use logtank_engine::io::{AlignedBuf, Disk, DiskFile, Transfer};
use logtank_engine::raw_log::{EndReason, Frame, Item, SegmentScan};
use logtank_os::disk::UringDisk;
use serde_json::json;

use super::output::{Output, moment};
use crate::record_json::RecordJson;

/// A raw segment: its header, its seal, its frames.
pub(super) async fn segment(
    disk: &UringDisk,
    path: &Path,
    records: bool,
    out: &mut Output,
) -> anyhow::Result<()> {
    if path.extension().is_some_and(|extension| extension == "rawlog") && !blocks(disk, path, out).await? {
        return Ok(());
    }
    let mut items = SegmentScan::open(disk, path, Transfer::Cached).await?.strict();
    while let Some(item) = items.next().await? {
        match item {
            Item::Frame(frame) => print(&frame, records, out)?,
            Item::Damage(damage) => out.damage(damage)?,
            Item::End(end) => {
                let why = why(end.reason);
                out.row("end", json!({ "offset": end.offset, "reason": why }))?;
            }
        }
    }
    Ok(())
}

const fn why(reason: EndReason) -> &'static str {
    match reason {
        EndReason::Complete => "complete",
        EndReason::Zero => "zeros follow",
        EndReason::Torn => "a torn frame follows",
        EndReason::Stale => "bytes of an earlier use of the file follow",
    }
}

/// Header and seal; `false` if there is nothing more to see.
async fn blocks(disk: &UringDisk, path: &Path, out: &mut Output) -> anyhow::Result<bool> {
    let file = disk.open(path, Transfer::Cached).await?;
    let (result, bytes) = file.read_at(AlignedBuf::with_capacity(FRAMES_OFFSET as usize), 0).await;
    result?;
    let (Some(header), Some(seal)) =
        (bytes.first_chunk(), bytes.get(HEADER_BYTES..).and_then(<[u8]>::first_chunk))
    else {
        out.damage("too short for a raw segment")?;
        return Ok(false);
    };
    let header = match Header::decode(header) {
        Ok(header) => header,
        Err(BlockError::Empty) => {
            out.block("raw segment made ready, not in use", json!({ "file_bytes": file.len().await? }))?;
            return Ok(false);
        }
        Err(error) => {
            out.damage(format!("header: {error}"))?;
            return Ok(false);
        }
    };
    out.block(
        "raw segment",
        json!({
            "epoch": header.epoch.millis(),
            "epoch_time": moment(header.epoch.millis()),
            "shard": header.shard.0,
            "part": header.part,
            "block_bytes": header.block_bytes,
            "salt": format!("{:016x}", header.salt.0),
            "created": moment(header.created.0),
            "file_bytes": header.file_bytes,
        }),
    )?;
    match Seal::decode(seal, &header) {
        Ok(seal) => out.block(
            "seal",
            json!({
                "sealed": moment(seal.sealed.0),
                "sealed_by": match seal.sealed_by { SealedBy::Writer => "writer", SealedBy::Recovery => "recovery" },
                "end": seal.end,
                "frames": seal.frames,
                "records": seal.records,
                "epoch_records": seal.epoch_records,
            }),
        )?,
        Err(BlockError::Empty) => out.row("not sealed", json!({}))?,
        Err(error) => out.damage(format!("seal: {error}"))?,
    }
    Ok(true)
}

fn print(frame: &Frame<'_>, records: bool, out: &mut Output) -> anyhow::Result<()> {
    out.row(
        "frame",
        json!({
            "offset": frame.offset,
            "first": frame.first.to_string(),
            "records": frame.records,
            "payload_bytes": frame.payload.len(),
            "time": frame.time.map(|time| moment(time.0)),
        }),
    )?;
    for record in frame.records().filter(|_| records) {
        match record {
            Ok(record) => out.row(
                "record",
                json!({
                    "position": record.position.to_string(),
                    "time": moment(record.time.0),
                    "index": record.view.index_code.map(String::from_utf8_lossy),
                    "record": RecordJson::from_view(&record.view),
                }),
            )?,
            Err(damage) => out.damage(damage)?,
        }
    }
    Ok(())
}
