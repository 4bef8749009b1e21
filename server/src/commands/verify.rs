//! Reads every byte of a data directory that something depends on.

use std::process::ExitCode;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use logtank_engine::deletions::Deletions;
use logtank_engine::format::Checkpoint;
use logtank_engine::ids::IndexCode;
use logtank_engine::index_log::{foreign_indexes, verify_index};
use logtank_engine::io::EntryKind;
use logtank_engine::limits::Limits;
use logtank_engine::packs::verify_packs;
use logtank_engine::{foreign, raw_log};
use logtank_os::disk::{Throttle, UringDisk, block_on};
use logtank_os::startup::check_readable_folder;

use crate::cli::VerifyArgs;
use crate::output::say;
use crate::serve::{Tree, check_machine, nameless_indexes};
use crate::stderr::remark;
use logtank_engine::store::Store;

/// What was read and what is wrong.
#[derive(Debug, Default)]
struct Verified {
    files: u64,
    records: u64,
    bytes: u64,
    findings: u64,
}

impl Verified {
    fn finding(&mut self, progress: &ProgressBar, what: impl std::fmt::Display) {
        self.findings += 1;
        progress.suspend(|| say!("{what}"));
    }
}

/// Prints one line for each thing that is wrong.
///
/// # Errors
/// If the folders can't be read at all.
pub(crate) fn run(args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    check_machine()?;
    let Tree { layout } = Tree::to_read(&args.data, args.raw_dir.as_deref())?;
    check_readable_folder(layout.data())?;
    let verified = block_on(async {
        let mut roots = vec![layout.data()];
        // A tree of the original that has received nothing has no raw/.
        roots.extend(layout.raw().is_dir().then_some(layout.raw()));
        let disk = UringDisk::new(&roots, Throttle::none())?;
        verify(&Store::new(disk, layout.clone())).await
    })??;
    let Verified { files, records, bytes, findings } = verified;
    remark!("{files} files, {records} records, {bytes} bytes read; {findings} findings");
    Ok(if findings == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn verify(store: &Store<UringDisk>) -> anyhow::Result<Verified> {
    let mut verified = Verified::default();
    let progress = ProgressBar::new_spinner();
    let style = ProgressStyle::with_template("{spinner} {wide_bar} {pos}/{len} {msg}")
        .expect("the template is valid");
    progress.set_style(style);
    progress.set_message("raw log");
    progress.tick();
    verify_small_files(store, &progress, &mut verified).await?;
    let raw = raw_log::verify(store).await.context("reading the raw log")?;
    verified.files += raw.files;
    verified.records += raw.records;
    verified.bytes += raw.bytes;
    for finding in raw.findings {
        verified.finding(&progress, finding);
    }
    for gap in raw.gaps {
        verified.finding(&progress, format!("the raw log has a gap: {gap}"));
    }
    for gap in raw.reported {
        progress.suspend(|| say!("reported missing by an earlier start: {gap}"));
    }
    // If that can't be told, the reason is among the findings already.
    let undealt = logtank_engine::jobs::undealt(store).await.unwrap_or_default();
    for folder in foreign_indexes(store).await? {
        verified.finding(
            &progress,
            format_args!(
                "{}: an index of the original whose name can't be one here (1 to 128 of A-Z, a-z, 0-9, dot, underscore and hyphen, \
                 not beginning with a dot); it is left as it is, and neither listed nor served: feed it anew under another name",
                folder.display()
            ),
        );
    }
    for folder in nameless_indexes(store.layout())? {
        verified.finding(
            &progress,
            format_args!(
                "{folder}: the name of an index that is no text (UTF-8); it is left as it is, and neither listed nor served: feed it \
                 anew under another name"
            ),
        );
    }
    let packs = verify_packs(store, &|name| progress.set_message(name.to_string()))
        .await
        .with_context(|| format!("reading {}", store.layout().packs().display()))?;
    verified.files += packs.files;
    verified.records += packs.records;
    verified.bytes += packs.bytes;
    for finding in packs.findings {
        verified.finding(&progress, finding);
    }
    let codes = indexes(store).await?;
    progress.set_length(codes.len() as u64);
    for code in codes {
        progress.set_message(code.to_string());
        match verify_index(store, &code, &Limits::default(), &undealt).await {
            Ok(index) => {
                verified.files += index.segments;
                verified.records += index.records;
                verified.bytes += index.bytes;
                for finding in index.findings {
                    verified.finding(&progress, finding);
                }
            }
            Err(error) => verified.finding(&progress, error),
        }
        progress.inc(1);
    }
    progress.finish_and_clear();
    Ok(verified)
}

/// The checkpoint, the deletions, and what does not belong here.
async fn verify_small_files(
    store: &Store<UringDisk>,
    progress: &ProgressBar,
    verified: &mut Verified,
) -> anyhow::Result<()> {
    let checkpoint = Checkpoint::read(store).await.and_then(|found| {
        found.next()?;
        Ok(())
    });
    if let Err(error) = checkpoint {
        verified.finding(progress, error);
    }
    match foreign::look_everywhere(store).await {
        Ok(found) => found.iter().for_each(|foreign| verified.finding(progress, foreign)),
        Err(error) => verified.finding(progress, error),
    }
    match Deletions::load(store).await {
        Ok(deletions) => {
            for (_, damage) in deletions.unreadable() {
                verified.finding(progress, damage);
            }
        }
        Err(error) => verified.finding(progress, error),
    }
    Ok(())
}

/// Indexes that have a folder, in order.
pub(super) async fn indexes(store: &Store<UringDisk>) -> anyhow::Result<Vec<IndexCode>> {
    let entries = store.list(&store.layout().indexes()).await?;
    let folders = entries.into_iter().filter(|entry| entry.kind == EntryKind::Folder);
    Ok(folders.filter_map(|entry| IndexCode::new(entry.name.as_bytes()).ok()).collect())
}
