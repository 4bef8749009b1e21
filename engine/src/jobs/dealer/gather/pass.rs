use super::super::fate::{self, REJECTED, write_for};
use super::super::whole::check_count;
use super::arena::{Arena, Group};
use crate::deletions::Deletions;
use crate::error::Result;
use crate::format::pack::{PackName, PackRange, SliceKind};
use crate::ids::{Epoch, IndexCode, Position};
use crate::io::disk::{Disk, Transfer};
use crate::packs::writer::{NewSlice, PackWriter};
use crate::raw_log::read::live::EpochView;
use crate::raw_log::read::merged::EpochScan;

/// One pass over an epoch for packs.
#[derive(Debug)]
pub(crate) struct Gatherer<'g, D> {
    /// Where its files are.
    pub disk: &'g D,
    /// How they are read.
    pub transfer: Transfer,
    /// The epoch, complete.
    pub epoch: &'g EpochView,
    /// As they were after the epoch was seen to be complete.
    pub deletions: &'g Deletions,
    /// What is gathered for one pack, about, in bytes.
    pub bytes_max: usize,
}

/// What a pass met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Met {
    /// Of the epoch.
    pub records: fate::Met,
    /// Packs that it filled.
    pub parts: u64,
}

/// What one pack gets.
#[derive(Debug)]
pub(crate) struct Part<'p> {
    range: PackRange,
    epoch: Epoch,
    arena: &'p Arena,
    deletions: &'p Deletions,
}

impl Part<'_> {
    /// The pack's name.
    #[must_use]
    pub(crate) const fn name(&self) -> PackName {
        PackName::recent(self.range, 0)
    }

    /// The records that belong to no index, as they were received, in order.
    pub(crate) fn rejected(&self) -> impl Iterator<Item = &[u8]> {
        self.arena.groups().take_while(|group| group.code() == REJECTED).flat_map(|group| group.records())
    }

    /// The indexes, each with its records, in the order in which a pack has them.
    pub(crate) fn indexes(&self) -> impl Iterator<Item = Group<'_>> {
        self.arena.groups().skip_while(|group| group.code() == REJECTED)
    }

    /// Bytes of memory that it takes.
    #[must_use]
    pub(crate) const fn bytes(&self) -> usize {
        self.arena.bytes()
    }

    /// Appends all slices to the pack.
    ///
    /// # Errors
    /// The disk's; the pack must be discarded then.
    ///
    /// # Panics
    /// If the pack has another name than [`Self::name`], or slices already.
    pub(crate) async fn write<D: Disk>(&self, pack: &mut PackWriter<D>) -> Result<()> {
        for group in self.indexes() {
            let code = IndexCode::new(group.code()).expect("only valid codes were gathered");
            let first = slice_first(self.range.first(), self.epoch, self.deletions.position(&code));
            let slice = NewSlice { code: &code, kind: SliceKind::Unsorted, first, dropped: Position::ZERO };
            pack.push(slice, group.records()).await?;
        }
        Ok(())
    }
}

/// Where the slice of an index begins in a pack that begins at `pack` and holds a part of `epoch`. Its records come after the
/// index's deletion, if there is one; and who reads does not count a slice that begins before the epoch in which the deletion lies.
fn slice_first(pack: Position, epoch: Epoch, deletion: Option<Position>) -> Position {
    // What lies before the epoch was dealt before, so no record of the slice does.
    pack.max(deletion.unwrap_or(Position::ZERO).min(Position::new(epoch, 0)))
}

impl<D: Disk> Gatherer<'_, D> {
    /// Reads the epoch once and hands out what each pack gets, one after the other: together they hold all from `first`, where the
    /// newest pack ends, to the end of the epoch.
    ///
    /// # Errors
    /// The disk's; corruption, if the epoch can't be read whole: what was handed out by then must not count. What `publish` gives.
    ///
    /// # Panics
    /// If `first` lies after the epoch's beginning.
    pub(crate) async fn run(
        &self,
        first: Position,
        publish: &mut impl AsyncFnMut(Part<'_>) -> Result<()>,
    ) -> Result<Met> {
        let epoch = self.epoch.epoch;
        let range = Position::new(epoch, 0)..Position::after(epoch);
        assert!(first <= range.start, "no part of the epoch was dealt before");
        let expected: u64 = self.epoch.segments.iter().map(|segment| segment.state.record_bytes()).sum();
        let expected = usize::try_from(expected).unwrap_or(usize::MAX);
        let mut scan = EpochScan::open(self.disk, self.epoch, range.clone(), self.transfer).await?;
        let mut arena = Arena::new(self.bytes_max, expected);
        let (mut met, mut begin) = (Met::default(), first);
        while let Some(frame) = scan.next_frame().await? {
            for record in frame.records() {
                let record = record?;
                let Some(code) = met.records.target(&record, self.deletions) else { continue };
                let encode = |out: &mut Vec<u8>| write_for(code, &record, out);
                if !arena.push(code, encode) {
                    // What does not fit begins the next pack.
                    self.hand_out(begin, record.position, &mut arena, publish, &mut met).await?;
                    begin = record.position;
                    assert!(arena.push(code, encode), "an empty arena takes one record");
                }
            }
        }
        // Before the last part is published: what could not be read whole is not dealt.
        check_count(self.epoch, met.records.records)?;
        self.hand_out(begin, range.end, &mut arena, publish, &mut met).await?;
        Ok(met)
    }

    async fn hand_out(
        &self,
        first: Position,
        end: Position,
        arena: &mut Arena,
        publish: &mut impl AsyncFnMut(Part<'_>) -> Result<()>,
        met: &mut Met,
    ) -> Result<()> {
        arena.sort();
        let range = PackRange::new(first, end).expect("a part holds at least one position");
        let epoch = self.epoch.epoch;
        publish(Part { range, epoch, arena, deletions: self.deletions }).await?;
        arena.clear();
        met.parts += 1;
        Ok(())
    }
}
