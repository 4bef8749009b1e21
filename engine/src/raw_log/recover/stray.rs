//! Epochs in `raw/live/` from before the checkpoint: dealt and not yet moved to history, or never dealt.
//!
//! The dealer moves an epoch's files as soon as the checkpoint has passed it, and before it deals the next. So the checkpoint
//! itself proves of one epoch that it is dealt: the last one. Of others, whose seals were not on the drive yet when they should
//! have moved, `dealer.unarchived.info` does: their milliseconds, one a line, written before the checkpoint moves on.
//!
//! What is neither is a *stray*: it came here after later epochs were dealt, say from a drive that was not mounted then. Its
//! records are in no index, and the file may be all that there is of them. So it stays, and is reported.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::error::{Corruption, Result};
use crate::ids::Epoch;
use crate::io::disk::{Disk, Transfer};
use crate::mutant::bug;
use crate::raw_log::read::live::{EpochView, LiveView, SegmentState, SegmentView, read_blocks};
use crate::store::Store;

/// More epochs than can wait for their seals.
const UNARCHIVED_BYTES_MAX: usize = 1 << 20;

/// What is in `raw/live/` from before the checkpoint.
#[derive(Debug, Default)]
pub(crate) struct Past {
    /// Dealt: may be moved to history.
    pub dealt: BTreeSet<Epoch>,
    /// Strays, each with its first file.
    pub strays: Vec<Corruption>,
}

impl Past {
    /// Tells them apart. `unarchived` are the epochs that are known to be dealt besides the last one.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) async fn look<D: Disk>(
        store: &Store<D>,
        view: &LiveView,
        checkpoint: Epoch,
        unarchived: &BTreeSet<Epoch>,
    ) -> Result<Self> {
        let mut past = Self::default();
        for epoch in view.epochs.range(..checkpoint).map(|(_, epoch)| epoch) {
            let proven =
                epoch.epoch.next() == checkpoint || unarchived.contains(&epoch.epoch) || bug!(StrayArchived);
            match if proven { None } else { first_unproven(store, epoch).await? } {
                None => _ = past.dealt.insert(epoch.epoch),
                Some(segment) => past.strays.push(stray(epoch, segment, checkpoint)),
            }
        }
        Ok(past)
    }
}

/// The first segment that may hold what is nowhere else.
async fn first_unproven<'e, D: Disk>(
    store: &Store<D>,
    epoch: &'e EpochView,
) -> Result<Option<&'e SegmentView>> {
    for segment in &epoch.segments {
        let nothing = match &segment.state {
            SegmentState::Sealed(_, seal) => seal.records == 0,
            SegmentState::Legacy { bytes } => *bytes == 0,
            SegmentState::Open(_) | SegmentState::SealDamaged(..) | SegmentState::HeaderDamaged(_) => false,
        };
        if !nothing && !is_in_history(store, segment).await? {
            return Ok(Some(segment));
        }
    }
    Ok(None)
}

/// Whether history has the same segment: a power cut can leave both names of a file that was moved.
async fn is_in_history<D: Disk>(store: &Store<D>, segment: &SegmentView) -> Result<bool> {
    let path = store.layout().history(segment.name);
    let same = match &segment.state {
        SegmentState::Sealed(header, seal) => {
            match read_blocks(store.disk(), &path, Transfer::Direct).await {
                Err(error) if error.is_not_found() => false,
                blocks => {
                    let (blocks, _) = blocks?;
                    blocks.header == Ok(*header) && blocks.seal == Ok(*seal)
                }
            }
        }
        SegmentState::Legacy { bytes } => {
            store.disk().metadata(&path).await?.is_some_and(|metadata| metadata.len == *bytes)
        }
        SegmentState::Open(_) | SegmentState::SealDamaged(..) | SegmentState::HeaderDamaged(_) => false,
    };
    Ok(same)
}

fn stray(epoch: &EpochView, segment: &SegmentView, checkpoint: Epoch) -> Corruption {
    let what = format!(
        "epoch {} lies before the checkpoint {checkpoint}, and nothing proves that it was dealt: its records may be in no index \
         (was the raw drive missing at a start?); the file stays here until it is moved away, and restoring from raw/history \
         together with it brings its records back",
        epoch.epoch
    );
    Corruption { path: segment.path.clone(), offset: 0, what }
}

/// The epochs of `dealer.unarchived.info`; none if it is not there, or says nothing that can be read.
///
/// # Errors
/// The disk's.
pub(crate) async fn read_unarchived<D: Disk>(store: &Store<D>) -> Result<BTreeSet<Epoch>> {
    let bytes = store.read_small(&store.layout().unarchived(), UNARCHIVED_BYTES_MAX).await?.or_empty();
    let text = String::from_utf8(bytes).unwrap_or_default();
    Ok(text.lines().filter_map(|line| line.parse().ok().and_then(Epoch::new)).collect())
}

/// Writes `dealer.unarchived.info` durably; removes it if there is nothing to say.
///
/// # Errors
/// The disk's.
pub(crate) async fn write_unarchived<D: Disk>(store: &Store<D>, epochs: &BTreeSet<Epoch>) -> Result<()> {
    let path = store.layout().unarchived();
    if epochs.is_empty() {
        store.remove(&path).await?;
        return Ok(());
    }
    let mut text = String::new();
    for epoch in epochs {
        writeln!(text, "{epoch}").expect("a string takes everything");
    }
    Ok(store.publish(&path, text.as_bytes()).await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raw_log::test_support::{LegacyBytes, MemDisk, SegmentBytes, epoch, layout, raw_disk};
    use crate::testing::run;
    use crate::testing::store;

    fn segment(millis: u64) -> SegmentBytes {
        SegmentBytes::new(millis, 0, 0, 8).file_bytes(12_288).frame(0, 2).sealed(2)
    }

    fn past(disk: &MemDisk, checkpoint: u64) -> (Vec<u64>, Vec<String>) {
        let past = run(async {
            let view = LiveView::look(&store(disk, &layout()), Transfer::Cached).await.unwrap();
            let unarchived = read_unarchived(&store(disk, &layout())).await.unwrap();
            Past::look(&store(disk, &layout()), &view, epoch(checkpoint), &unarchived).await.unwrap()
        });
        let name = |stray: &Corruption| stray.path.file_name().unwrap().to_str().unwrap().to_owned();
        (past.dealt.iter().map(|epoch| epoch.millis()).collect(), past.strays.iter().map(name).collect())
    }

    #[test]
    fn only_the_last_dealt_epoch_is_proven_by_the_checkpoint() {
        let disk = raw_disk();
        for millis in [7, 8, 9] {
            disk.put(layout().live(segment(millis).name()), &segment(millis).full(0));
        }
        disk.put(layout().raw_live().join("5.raw"), &LegacyBytes::new().record(b"a", 5).bytes);
        let strays = ["5.raw", "7-0-0.rawlog"].map(str::to_owned);
        assert_eq!(past(&disk, 9), (vec![8], strays.to_vec()));
    }

    #[test]
    fn what_the_dealer_wrote_down_or_history_has_too_is_dealt() {
        let disk = raw_disk();
        for millis in [6, 7, 8] {
            disk.put(layout().live(segment(millis).name()), &segment(millis).full(0));
        }
        disk.put(layout().history(segment(7).name()), &segment(7).full(1));
        // Another segment of this name.
        let other = SegmentBytes::new(8, 0, 0, 8).file_bytes(12_288).frame(0, 1).sealed(1);
        disk.put(layout().history(segment(8).name()), &other.full(0));
        run(write_unarchived(&store(&disk, &layout()), &[epoch(6)].into())).unwrap();
        assert_eq!(past(&disk, 20), (vec![6, 7], vec!["8-0-0.rawlog".to_owned()]));
        run(write_unarchived(&store(&disk, &layout()), &BTreeSet::new())).unwrap();
        assert_eq!(run(read_unarchived(&store(&disk, &layout()))).unwrap(), BTreeSet::new());
    }

    #[test]
    fn what_holds_nothing_is_no_stray() {
        let disk = raw_disk();
        let empty = SegmentBytes::new(7, 0, 0, 8).file_bytes(12_288).sealed(0);
        disk.put(layout().live(empty.name()), &empty.full(0));
        disk.put(layout().raw_live().join("5.lost"), b"end 0\n");
        assert_eq!(past(&disk, 20), (vec![5, 7], vec![]));
        disk.put(layout().live(empty.name()), &SegmentBytes::new(7, 0, 0, 8).file_bytes(12_288).full(0));
        assert_eq!(past(&disk, 20), (vec![5], vec!["7-0-0.rawlog".to_owned()]));
    }
}
