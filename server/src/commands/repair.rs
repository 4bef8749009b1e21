//! Puts a damaged data directory back to work, at the price of what can't be read any more.

use std::process::ExitCode;

use anyhow::Context;
use logtank_engine::index_log::repair_index;
use logtank_engine::limits::Limits;
use logtank_engine::raw_log;
use logtank_os::clock;
use logtank_os::disk::{Throttle, UringDisk, block_on};

use super::verify::indexes;
use crate::cli::RepairArgs;
use crate::config::LogFormat;
use crate::logging;
use crate::metrics::HostMetrics;
use crate::output::say;
use crate::serve::{Tree, check_machine, put_in_order};
use crate::stderr::remark;
use logtank_engine::store::Store;

/// Folder for damaged files, below the data directory and below raw/.
const ASIDE: &str = "damaged";

/// Repairs. Exit code 0: nothing was damaged, or nothing is gone; 1: records are gone, or something could not be repaired.
///
/// # Errors
/// If a host runs on the directory, or a disk fails.
pub(crate) fn run(args: &RepairArgs) -> anyhow::Result<ExitCode> {
    logging::start(LogFormat::Text, tracing::Level::WARN);
    check_machine()?;
    let tree = Tree::existing(&args.data, args.raw_dir.as_deref())?;
    let _locks = tree.lock(true, true)?;
    let gone = block_on(async {
        let store = tree.store(Throttle::none())?;
        put_in_order(&store, &HostMetrics::default()).await?;
        let raw = repair_raw_log(&store).await.context("repairing the raw log")?;
        let indexes = repair_indexes(&store).await.context("repairing the indexes")?;
        anyhow::Ok(raw + indexes)
    })??;
    remark!("{gone} records are gone; now run logtank verify, then start the host");
    Ok(if gone == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Returns how many records are gone.
async fn repair_raw_log(store: &Store<UringDisk>) -> anyhow::Result<u64> {
    let repaired = raw_log::repair(store, &store.layout().raw().join(ASIDE), clock::wall()).await?;
    for segment in &repaired.segments {
        say!(
            "{}: {} records are whole; the damaged file is {}",
            segment.path.display(),
            segment.records,
            segment.aside.display()
        );
    }
    let mut displaced = 0;
    for segment in repaired.segments.iter().filter(|segment| !segment.displaced.is_empty()) {
        let indexes: Vec<_> =
            segment.displaced.iter().map(|(index, records)| format!("{records} of index {index}")).collect();
        displaced += segment.displaced.values().sum::<u64>();
        say!(
            "{}: whole records that have the positions of others, and are dealt no more: {}. They are in {}, which logtank inspect \
             --records shows: send them again if they are the newest of their documents",
            segment.path.display(),
            indexes.join(", "),
            segment.aside.display()
        );
    }
    for lost in &repaired.forgotten {
        say!(
            "{}: damaged, so what it reported lost is not known any more; {} records that can be read are taken for lost with \
             it, since nothing shows that they are not; the damaged file is {}",
            lost.path.display(),
            lost.given_up,
            lost.aside.display()
        );
    }
    for (position, count) in repaired.lost_positions() {
        say!("gone: {count} records from position {position} on");
    }
    for path in &repaired.left {
        say!(
            "{}: a damaged file of the original, which nothing can be salvaged from by itself",
            path.display()
        );
    }
    Ok(repaired.lost_records() + displaced + repaired.left.len() as u64)
}

/// Returns how many records are gone.
async fn repair_indexes(store: &Store<UringDisk>) -> anyhow::Result<u64> {
    let mut gone = 0;
    let undealt = logtank_engine::jobs::undealt(store).await?;
    for code in indexes(store).await? {
        let aside = store.layout().data().join(ASIDE);
        for segment in repair_index(store, &code, &Limits::default(), &undealt, &aside).await? {
            if segment.lost_records == 0 {
                say!(
                    "index {code}, {}: none of its checksums is right, but the segment reads as exactly the {} records that its \
                     name says; it stays as it is, and the sidecar is {}. If no other host wrote the segment, feed the index anew",
                    segment.damaged.display(),
                    segment.records,
                    segment.aside.display()
                );
                continue;
            }
            say!(
                "index {code}, {}: {} records are whole, {} are gone; the damaged file is {}. Feed the index anew, or take \
                 it from another host: a change or a deletion that is gone leaves older ones in force",
                segment.damaged.display(),
                segment.records,
                segment.lost_records,
                segment.aside.display()
            );
            gone += segment.lost_records;
        }
    }
    Ok(gone)
}
