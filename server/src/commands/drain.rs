//! Deals everything that a stopped host has received, and leaves a directory that the original can take over.

use anyhow::Context;
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use logtank_engine::format::time_of;
use logtank_engine::io::{Disk, Transfer};
use logtank_engine::jobs::{Background, Drained, JobsConfig, Shared, hand_over};
use logtank_engine::limits::Limits;
use logtank_engine::raw_log::{LiveView, Recovered};
use logtank_engine::roles;
use logtank_engine::store::Store;
use logtank_engine::time::Clock;
use logtank_os::clock::SystemClock;
use logtank_os::disk::{Throttle, UringDisk, block_on};

use crate::cli::DrainArgs;
use crate::config::LogFormat;
use crate::logging;
use crate::metrics::HostMetrics;
use crate::serve::{Tree, check_machine, put_in_order};
use crate::stderr::remark;

/// Drains a data directory.
///
/// # Errors
/// If a host runs on it, this host is not its master, something can't be dealt whole, or something is missing of what was to
/// be dealt: then the rest is dealt all the same.
pub(crate) fn run(args: &DrainArgs) -> anyhow::Result<()> {
    logging::start(LogFormat::Text, tracing::Level::WARN);
    check_machine()?;
    let tree = Tree::existing(&args.data, args.raw_dir.as_deref())?;
    let _locks = tree.lock(true, true)?;
    tree.initialize()?;
    let (drained, gaps) = block_on(async { drain(&tree.store(Throttle::none())?).await })??;
    remark!(
        "{} epochs with {} records dealt; {} holds nothing but the empty segment that the original begins with",
        drained.epochs,
        HumanCount(drained.records),
        tree.layout.original_live().display()
    );
    if !tree.layout.safe_to_read().exists() {
        remark!(
            "recoveries are refused until {} is there: create it if what is here is what the service should have",
            tree.layout.safe_to_read().display()
        );
    }
    anyhow::ensure!(
        gaps.is_empty(),
        "what is here is dealt, but something is missing of the raw log (see docs/operations.md, Backup and restore): {}",
        gaps.join("; ")
    );
    Ok(())
}

/// What is missing of the raw log, as far as what is there shows it.
fn gaps(recovered: &Recovered) -> Vec<String> {
    let epochs = recovered.missing().iter().map(ToString::to_string);
    let positions = recovered.report().lost.iter().map(|lost| {
        let (epoch, records) = (lost.epoch, lost.records());
        format!("{records} records of epoch {epoch} ({}) are not there", time_of(epoch))
    });
    epochs.chain(positions).collect()
}

async fn drain(store: &Store<UringDisk>) -> anyhow::Result<(Drained, Vec<String>)> {
    anyhow::ensure!(
        roles::is_master(store).await?,
        "only the master deals: create {} if this host is to be the master",
        store.layout().master().display()
    );
    let recovered = put_in_order(store, &HostMetrics::default()).await?;
    let progress = ProgressBar::new_spinner();
    progress.set_style(
        ProgressStyle::with_template("{spinner} {msg} in {elapsed}").expect("the template is valid"),
    );
    let told = |drained: Drained| {
        progress.set_message(format!(
            "{} epochs, {} records dealt",
            drained.epochs,
            HumanCount(drained.records)
        ));
        progress.tick();
    };
    let shared = std::sync::Arc::new(Shared::new());
    // Whoever drains by hand has chosen where: nothing is kept free.
    let limits = Limits { free_bytes_min: 0, ..Limits::default() };
    let config = JobsConfig::keeping_history();
    let mut background = Background::new(store.clone(), SystemClock, limits, config, shared.clone());
    let drained = background.drain(&told).await.context("not everything could be dealt; nothing is lost")?;
    remove_ready(store).await?;
    let told = |done: usize, of: usize| {
        progress.set_message(format!("{done} of {of} indexes cleaned"));
        progress.tick();
    };
    hand_over(store, &shared.deletions, SystemClock.now(), &told)
        .await
        .context("everything is dealt, but the original can't take the directory over yet")?;
    progress.finish_and_clear();
    let rejected = shared.stats.rejected_records.get();
    if rejected > 0 {
        remark!(
            "{} records that belong to no index were set aside in {}: the original would have served those of an index whose \
             name can't be one here",
            HumanCount(rejected),
            store.layout().rejected().display()
        );
    }
    // Of those nothing was there to be dealt.
    let missing = recovered.report().missing_epochs.len() as u64;
    let drained = Drained { epochs: drained.epochs.saturating_sub(missing), ..drained };
    Ok((drained, gaps(&recovered)))
}

/// Removes the segments that were made ready: the original would take nothing there for its own, but the room is large.
async fn remove_ready(store: &Store<UringDisk>) -> anyhow::Result<()> {
    let view = LiveView::look(store, Transfer::Cached).await?;
    if let Some(epoch) = view.epochs.keys().next() {
        anyhow::bail!(
            "epoch {epoch} is still in {}, though everything should be dealt",
            store.layout().raw_live().display()
        );
    }
    let unusable = view.unusable.iter().map(|unusable| &unusable.file);
    for file in view.ready.iter().chain(unusable) {
        store.disk().remove_file(&file.path).await?;
    }
    Ok(store.disk().sync_folder(&store.layout().raw_live()).await?)
}
