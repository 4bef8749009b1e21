//! Moves dealt epochs from `raw/live/` to `raw/history/`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::error::Result;
use crate::format::names::RawName;
use crate::format::raw::Seal;
use crate::ids::Epoch;
use crate::io::disk::{Disk, DiskFile, Transfer};
use crate::raw_log::read::live::{LiveView, SegmentState, SegmentView, blocks_of};
use crate::store::Store;

/// What moving to history came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Archived {
    /// Files that were moved.
    pub files: u64,
    /// Epochs of which something stays, because its seal is not on the drive.
    pub unfinished: BTreeSet<Epoch>,
}

/// Moves all files of these epochs to history, durably. They must be dealt, and the checkpoint durable behind
/// them. Repeating it is harmless; an interrupted one is finished
/// by the next. A segment that is not sealed stays where it is; one that is mostly empty is cut to what it holds, or
/// a quiet host would fill its history with room made ready in vain.
///
/// # Errors
/// The disk's.
pub(crate) async fn archive<D: Disk>(
    store: &Store<D>,
    view: &LiveView,
    dealt: &BTreeSet<Epoch>,
) -> Result<Archived> {
    let (mut moved, mut unfinished) = (0, BTreeSet::new());
    for epoch in dealt.iter().filter_map(|epoch| view.epochs.get(epoch)) {
        for segment in &epoch.segments {
            let finished = match &segment.state {
                SegmentState::Sealed(header, seal) => {
                    if seal.end <= header.file_bytes / 2 {
                        cut(store.disk(), segment, seal.end).await?;
                    }
                    is_durably_sealed(store.disk(), segment, seal).await?
                }
                SegmentState::Legacy { .. } | SegmentState::HeaderDamaged(_) => true,
                SegmentState::Open(_) | SegmentState::SealDamaged(..) => false,
            };
            if !finished {
                unfinished.insert(epoch.epoch);
            } else {
                moved += u64::from(move_to_history(store, segment.places(), segment.name).await?);
            }
        }
        if epoch.lost.is_some() {
            let name = RawName::Lost(epoch.epoch);
            moved += u64::from(move_to_history(store, [store.layout().live(name)], name).await?);
        }
    }
    if moved > 0 {
        // The new names first: a power cut in between leaves both, never neither.
        store.disk().sync_folder(&store.layout().raw_history()).await?;
        store.disk().sync_folder(&store.layout().raw_live()).await?;
    }
    Ok(Archived { files: moved, unfinished })
}

/// Makes a segment's seal durable, and looks whether it is on the drive. The writer may be about to, or may have
/// failed to: then the seal was only in the page cache, and a file in history would be found without. (What it covers is
/// durable: the writer saw to that before it sealed.)
async fn is_durably_sealed<D: Disk>(disk: &D, segment: &SegmentView, seal: &Seal) -> Result<bool> {
    let Some(file) = opened(disk, segment, Transfer::Direct).await? else { return Ok(false) };
    file.sync().await?;
    // By the same file: under its name it may not be found any more.
    let (blocks, _) = blocks_of(&file).await?;
    Ok(blocks.seal.is_ok_and(|on_drive| on_drive == *seal))
}

/// Gives back what lies behind a segment's seal end. Nothing depends on it, so it need not be durable.
async fn cut<D: Disk>(disk: &D, segment: &SegmentView, end: u64) -> Result<()> {
    if let Some(file) = opened(disk, segment, Transfer::Cached).await?
        && file.len().await? > end
    {
        file.set_len(end).await?;
    }
    Ok(())
}

/// A segment, open for writing; `None` if it has gone.
async fn opened<D: Disk>(disk: &D, segment: &SegmentView, transfer: Transfer) -> Result<Option<D::File>> {
    for path in segment.places() {
        match disk.open_write(&path, transfer).await {
            Err(error) if error.is_not_found() => {}
            file => return Ok(Some(file?)),
        }
    }
    Ok(None)
}

async fn move_to_history<D: Disk>(
    store: &Store<D>,
    places: impl IntoIterator<Item = PathBuf>,
    name: RawName,
) -> Result<bool> {
    let target = store.layout().history(name);
    for from in places {
        if store.rename(&from, &target).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::buffers::AlignedBuf;
    use crate::raw_log::test_support::{Cut, LegacyBytes, MemDisk, SegmentBytes, epoch, layout, raw_disk};
    use crate::testing::run;
    use crate::testing::store;

    fn dealt() -> MemDisk {
        let disk = raw_disk();
        let live = layout().raw_live();
        disk.put(live.join("5.raw"), &LegacyBytes::new().record(b"a", 5).bytes);
        disk.put(live.join("8-0-0.rawlog"), &SegmentBytes::new(8, 0, 0, 8).frame(0, 2).sealed(5).full(0));
        disk.put(live.join("ready-3.rawlog"), &SegmentBytes::new(8, 1, 0, 8).frame(3, 2).sealed(5).full(0));
        disk.put(live.join("8.lost"), b"2 1\nend 0\n");
        disk.put(live.join("9-0-0.rawlog"), &SegmentBytes::new(9, 0, 0, 8).frame(0, 2).sealed(2).full(0));
        disk.put(live.join("ready-4.rawlog"), &[0; 12_288]);
        disk
    }

    fn look(disk: &MemDisk) -> LiveView {
        run(LiveView::look(&store(disk, &layout()), Transfer::Cached)).unwrap()
    }

    fn past(view: &LiveView) -> BTreeSet<Epoch> {
        view.epochs.range(..epoch(9)).map(|(epoch, _)| *epoch).collect()
    }

    fn archived(disk: &MemDisk, view: &LiveView) -> u64 {
        run(archive(&store(disk, &layout()), view, &past(view))).unwrap().files
    }

    fn files(disk: &MemDisk) -> Vec<String> {
        let inside = |path: &std::path::Path| path.strip_prefix("/data/raw").unwrap().display().to_string();
        disk.contents().keys().map(|path| inside(path)).collect()
    }

    const ARCHIVED: [&str; 6] = [
        "history/5.raw",
        "history/8-0-0.rawlog",
        "history/8-1-0.rawlog",
        "history/8.lost",
        "live/9-0-0.rawlog",
        "live/ready-4.rawlog",
    ];

    #[test]
    fn dealt_epochs_move_under_the_names_that_their_headers_say() {
        let disk = dealt();
        assert_eq!(archived(&disk, &look(&disk)), 4);
        disk.restart(Cut::Power);
        assert_eq!(files(&disk), ARCHIVED);
        assert_eq!(archived(&disk, &look(&disk)), 0, "repeated");
    }

    #[test]
    fn dying_at_any_call_loses_no_file_and_the_next_time_finishes() {
        for cut in Cut::ALL {
            for call in 0.. {
                let disk = dealt();
                let view = look(&disk);
                disk.die_at(call);
                let done = run(archive(&store(&disk, &layout()), &view, &past(&view))).is_ok();
                disk.restart(cut);
                assert!(files(&disk).len() >= ARCHIVED.len(), "{cut:?} at call {call}");
                archived(&disk, &look(&disk));
                assert_eq!(files(&disk), ARCHIVED, "{cut:?} at call {call}");
                if done {
                    break;
                }
            }
        }
    }

    #[test]
    fn a_mostly_empty_segment_keeps_only_what_it_holds_and_still_verifies() {
        let disk = raw_disk();
        let short = SegmentBytes::new(8, 0, 0, 8).file_bytes(65_536).frame(0, 2).sealed(2);
        let (end, live) = (short.end(), layout().raw_live());
        disk.put(live.join("8-0-0.rawlog"), &short.full(0));
        archived(&disk, &look(&disk));
        let history = disk.contents().remove(&layout().raw_history().join("8-0-0.rawlog")).unwrap();
        assert_eq!(history.len() as u64, end);
        let report = run(crate::raw_log::recover::verify::verify(&store(&disk, &layout()))).unwrap();
        assert!(report.findings.is_empty() && report.records == 2, "{report:?}");
    }

    /// The seal that a reader sees may be on its way to the drive, or lost on it.
    #[test]
    fn a_segment_goes_to_history_only_with_its_seal_on_the_drive() {
        let path = layout().raw_live().join("8-0-0.rawlog");
        let segment = || SegmentBytes::new(8, 0, 0, 8).file_bytes(16_384).frame(0, 2);
        let unsealed = segment().full(0);
        let sealed = segment().sealed(2).full(0);

        let disk = raw_disk();
        disk.put(&path, &unsealed);
        run(async {
            let file = disk.open_write(&path, Transfer::Cached).await.unwrap();
            let mut bytes = AlignedBuf::with_capacity(sealed.len());
            bytes.extend(&sealed);
            file.write_at(bytes, 0).await.0.unwrap();
        });
        assert_eq!(archived(&disk, &look(&disk)), 1);
        disk.restart(Cut::Power);
        assert_eq!(disk.contents(), [(layout().raw_history().join("8-0-0.rawlog"), sealed.clone())].into());

        let disk = raw_disk();
        disk.put(&path, &unsealed);
        disk.put_in_cache_only(&path, &sealed);
        assert_eq!(archived(&disk, &look(&disk)), 0, "the drive refused it");
        disk.restart(Cut::Power);
        assert_eq!(disk.contents(), [(path, unsealed)].into());
    }

    #[test]
    fn what_is_not_sealed_stays_and_what_was_renamed_since_the_look_is_found() {
        let disk = dealt();
        let live = layout().raw_live();
        disk.put(live.join("8-2-0.rawlog"), &SegmentBytes::new(8, 2, 0, 8).frame(7, 2).full(0));
        let view = look(&disk);
        run(disk.rename(&live.join("ready-3.rawlog"), &live.join("8-1-0.rawlog"))).unwrap();
        let archived = run(archive(&store(&disk, &layout()), &view, &past(&view))).unwrap();
        assert_eq!(archived, Archived { files: 4, unfinished: [epoch(8)].into() });
        let left: Vec<_> = files(&disk).into_iter().filter(|path| path.starts_with("live/8")).collect();
        assert_eq!(left, ["live/8-2-0.rawlog"]);
    }
}
