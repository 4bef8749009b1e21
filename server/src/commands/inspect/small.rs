use std::path::Path;

use anyhow::Context;
use logtank_engine::deletions;
use logtank_engine::error::Error;
use logtank_engine::format::{Checkpoint, Layout};
use logtank_engine::identity::{Mark, Written};
use logtank_engine::ids::{Epoch, IndexCode};
use logtank_engine::io::parent;
use logtank_engine::raw_log::Lost;
use logtank_engine::store::Store;
use logtank_os::disk::UringDisk;
use serde_json::json;

use super::output::{Output, moment};

/// `EPOCH.lost`: what recovery found missing.
pub(super) async fn lost(
    disk: &UringDisk,
    path: &Path,
    epoch: Epoch,
    out: &mut Output,
) -> anyhow::Result<()> {
    match Lost::read(disk, path, epoch).await? {
        Ok(lost) => {
            let (epoch, time) = (epoch.millis(), moment(epoch.millis()));
            out.block(
                "lost positions",
                json!({ "epoch": epoch, "epoch_time": time, "records": lost.records() }),
            )?;
            for (first, end) in lost.gaps {
                out.row("gap", json!({ "first_ordinal": first, "records": end - first }))?;
            }
            Ok(())
        }
        Err(damage) => Ok(out.damage(damage)?),
    }
}

/// A deletion of an index.
pub(super) async fn deletion(disk: &UringDisk, path: &Path, out: &mut Output) -> anyhow::Result<()> {
    let name = path.file_name().unwrap_or_default();
    let code = IndexCode::new(name.as_encoded_bytes())?;
    let layout = Layout::new(parent(parent(path)), None);
    match deletions::load_one(&Store::new(disk.clone(), layout), &code).await {
        Ok(position) => {
            let position = position.context("it is not there")?;
            let time = moment(position.epoch().millis());
            out.block(
                "deletion of an index",
                json!({ "index": code.as_str(), "gone_before": position.to_string(), "epoch_time": time }),
            )?;
            Ok(())
        }
        Err(Error::Corrupt(damage)) => Ok(out.damage(damage)?),
        Err(error) => Err(error.into()),
    }
}

/// How far dealing is.
pub(super) async fn checkpoint(disk: &UringDisk, path: &Path, out: &mut Output) -> anyhow::Result<()> {
    match Checkpoint::read(&Store::new(disk.clone(), Layout::new(parent(path), None))).await? {
        Checkpoint::At(epoch) => {
            let (next, time) = (epoch.millis(), moment(epoch.millis()));
            Ok(out.block("checkpoint of the dealer", json!({ "next_epoch": next, "epoch_time": time }))?)
        }
        Checkpoint::Missing => anyhow::bail!("it is not there"),
        Checkpoint::Unreadable(damage) => Ok(out.damage(damage)?),
    }
}

/// Which folders belong together.
pub(super) async fn identity(disk: &UringDisk, path: &Path, out: &mut Output) -> anyhow::Result<()> {
    let store = Store::new(disk.clone(), Layout::new(parent(path), None));
    let (identity, state) = match Mark::read(&store, path).await? {
        Mark::Some(Written::Pending(identity)) => (identity, "pending"),
        Mark::Some(Written::Final(identity)) => (identity, "final"),
        Mark::None => anyhow::bail!("it is not there"),
        Mark::Unreadable(damage) => return Ok(out.damage(damage)?),
    };
    let identity = identity.to_string();
    Ok(out.block(
        "identity of a data directory and its raw/",
        json!({ "identity": identity, "state": state }),
    )?)
}
