use std::collections::BTreeSet;

use super::ManagerError;
use super::index_info::look;
use crate::deletions::Deletions;
use crate::error::{Error, Result};
use crate::format::checkpoint::Checkpoint;
use crate::ids::IndexCode;
use crate::io::disk::{Disk, EntryKind, Transfer};
use crate::jobs::shared::Shared;
use crate::raw_log::read::frame::Frame;
use crate::raw_log::read::live::{EpochView, LiveView};
use crate::raw_log::read::scan::Item;
use crate::store::Store;

/// What `list_existing_indexes` answers, in order: the indexes that have a folder, unless all in it is deleted, and those
/// that so far are only in the raw log, of which all that is not dealt is read for that.
///
/// # Errors
/// The disk's, or corruption of the dealer's checkpoint or of a deletion. Damage of the raw log is passed over: whoever
/// reads or deals it reports it.
pub async fn list_existing_indexes<D: Disk>(
    store: &Store<D>,
    shared: &Shared,
) -> Result<BTreeSet<IndexCode>, ManagerError> {
    // The raw log first: what is dealt meanwhile has a folder by the time that those are listed.
    let mut codes = in_raw_log(store, shared).await?;
    let entries = store.list(&store.layout().indexes()).await?;
    let deletions = shared.deletions.snapshot(store).await?;
    for entry in entries.iter().filter(|entry| entry.kind == EntryKind::Folder) {
        // Other names can't have been created by this host.
        let Ok(code) = IndexCode::new(entry.name.as_bytes()) else { continue };
        let deleted = deletions.position(&code).is_some();
        if !deleted || look(store, &code).await?.in_order().next().is_some() {
            codes.insert(code);
        }
    }
    Ok(codes)
}

async fn in_raw_log<D: Disk>(store: &Store<D>, shared: &Shared) -> Result<BTreeSet<IndexCode>> {
    let look = async || {
        let live = LiveView::look(store, Transfer::Cached).await?;
        let next = Checkpoint::read(store).await?.next()?;
        let mut found = Codes { shared, codes: BTreeSet::new() };
        for (_, epoch) in live.epochs.range(next..) {
            found.add(store, epoch).await?;
        }
        Ok(Some(found.codes))
    };
    // What is not found was moved while it was read.
    store.settle(&store.layout().raw_live(), look).await
}

/// The indexes that have records in the raw log.
struct Codes<'s> {
    shared: &'s Shared,
    codes: BTreeSet<IndexCode>,
}

impl Codes<'_> {
    /// Adds the indexes of an epoch, of which each segment is read by itself: no order matters here, and damage of one hides
    /// nothing of another.
    async fn add<D: Disk>(&mut self, store: &Store<D>, epoch: &EpochView) -> Result<()> {
        let deletions = self.shared.deletions.snapshot(store).await?;
        for segment in &epoch.segments {
            let scan = match segment.scan(store.disk(), Transfer::Cached).await {
                Err(Error::Corrupt(_)) => continue,
                scan => scan?,
            };
            let mut items = scan.strict();
            while let Some(item) = items.next().await? {
                match item {
                    Item::Frame(frame) => self.add_frame(&frame, epoch, &deletions),
                    Item::Damage(_) | Item::End(_) => {}
                }
            }
        }
        Ok(())
    }

    fn add_frame(&mut self, frame: &Frame<'_>, epoch: &EpochView, deletions: &Deletions) {
        let mut last: &[u8] = &[];
        for record in frame.records().map_while(std::result::Result::ok) {
            // A record without docid or index is dropped when it is dealt. One batch mostly is of one index.
            let (Some(_), Some(bytes)) = (record.view.docid, record.view.index_code) else { continue };
            if last == bytes || epoch.reports_lost(record.position) {
                continue;
            }
            let Ok(code) = IndexCode::new(bytes) else { continue };
            if deletions.position(&code).is_none_or(|deletion| deletion <= record.position) {
                self.codes.insert(code);
                last = bytes;
            }
        }
    }
}
