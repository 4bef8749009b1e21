//! How far the raw log reaches on disk.

use std::collections::BTreeMap;

use super::live::{EpochView, LiveView, SegmentState};
use super::scan::{ScanPoint, SegmentScan};
use crate::error::Result;
use crate::format::names::RawName;
use crate::format::raw::Salt;
use crate::ids::Position;
use crate::io::disk::{Disk, Transfer};

/// Remembers how far each open segment was read, so that asking again costs only what is new. Forgetting it
/// costs time, nothing else.
#[derive(Debug, Default)]
pub(crate) struct Tails {
    // What stands before such a point never changes while the segment has this salt.
    points: BTreeMap<RawName, (Option<Salt>, ScanPoint)>,
}

impl Tails {
    /// A position that every record on disk lies before, and at or behind which every record will lie that is
    /// received from now on: the beginning of the next epoch if the greatest epoch in `view` is closed,
    /// otherwise just past the greatest record on disk. `None` if `raw/live/` holds no epoch.
    ///
    /// # Errors
    /// The disk's (a file that has vanished: look again).
    pub(crate) async fn next_position<D: Disk>(
        &mut self,
        disk: &D,
        view: &LiveView,
    ) -> Result<Option<Position>> {
        let Some((_, epoch)) = view.epochs.last_key_value() else { return Ok(None) };
        if epoch.is_closed() || view.is_complete(epoch.epoch) {
            self.points.clear();
            return Ok(Some(Position::after(epoch.epoch)));
        }
        self.points.retain(|name, _| epoch.segments.iter().any(|segment| segment.name == *name));
        self.open_end(disk, epoch).await.map(Some)
    }

    async fn open_end<D: Disk>(&mut self, disk: &D, epoch: &EpochView) -> Result<Position> {
        let mut greatest = Position::new(epoch.epoch, 0);
        for segment in &epoch.segments {
            if matches!(segment.state, SegmentState::HeaderDamaged(_)) {
                continue;
            }
            let mut scan = SegmentScan::open(disk, &segment.path, Transfer::Cached).await?;
            let salt = scan.header().map(|header| header.salt);
            if let Some((_, point)) = self.points.get(&segment.name).filter(|(known, _)| *known == salt) {
                scan.seek(*point)?;
            }
            // Only how far it reaches matters here; who reads the records will report the damage.
            let mut items = scan.strict();
            while items.next().await?.is_some() {}
            greatest = greatest.max(items.point().least);
            self.points.insert(segment.name, (salt, items.point()));
        }
        Ok(greatest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::raw::SealedBy;
    use crate::raw_log::test_support::{LegacyBytes, SegmentBytes, layout, position};
    use crate::testing::store;
    use crate::testing::{MemDisk, run};

    fn put(disk: &MemDisk, segment: &SegmentBytes) {
        disk.put(layout().live(segment.name()), &segment.full(0));
    }

    fn next(disk: &MemDisk, tails: &mut Tails) -> Option<Position> {
        let view = run(LiveView::look(&store(disk, &layout()), Transfer::Cached)).unwrap();
        run(tails.next_position(disk, &view)).unwrap()
    }

    #[test]
    fn follows_an_open_epoch_and_then_the_next() {
        let (disk, mut tails) = (MemDisk::new(), Tails::default());
        assert_eq!(next(&disk, &mut tails), None);
        put(&disk, &SegmentBytes::new(8, 0, 0, 8));
        assert_eq!(next(&disk, &mut tails), Some(position(8, 0)));
        put(&disk, &SegmentBytes::new(8, 0, 0, 8).frame(0, 2));
        put(&disk, &SegmentBytes::new(8, 1, 0, 8).frame(2, 3));
        assert_eq!(next(&disk, &mut tails), Some(position(8, 5)));
        let grown = SegmentBytes::new(8, 0, 0, 8).frame(0, 2).frame(5, 2);
        put(&disk, &grown);
        assert_eq!(next(&disk, &mut tails), Some(position(8, 7)));
        assert_eq!(next(&disk, &mut Tails::default()), Some(position(8, 7)), "remembering changes nothing");
        put(&disk, &grown.sealed(7));
        assert_eq!(next(&disk, &mut tails), Some(position(9, 0)), "nothing is handed out in it any more");
        put(&disk, &SegmentBytes::new(12, 0, 0, 8));
        assert_eq!(next(&disk, &mut tails), Some(position(12, 0)));
    }

    #[test]
    fn what_is_remembered_of_one_life_of_a_segment_says_nothing_of_another() {
        let (disk, mut tails) = (MemDisk::new(), Tails::default());
        put(&disk, &SegmentBytes::new(8, 0, 0, 8).frame(0, 9).frame(9, 9));
        assert_eq!(next(&disk, &mut tails), Some(position(8, 18)));
        let mut other = SegmentBytes::new(8, 0, 0, 8);
        other.header.salt = Salt(1);
        other.bytes[..4096].copy_from_slice(&other.header.encode());
        put(&disk, &other.frame(0, 1));
        assert_eq!(next(&disk, &mut tails), Some(position(8, 1)));
    }

    #[test]
    fn a_seal_that_tells_nothing_of_the_epoch_does_not_close_it_and_damage_does_not_hide_its_end() {
        let (disk, mut tails) = (MemDisk::new(), Tails::default());
        let part = SegmentBytes::new(8, 0, 0, 8).frame(0, 2).frame(2, 2).frame(4, 1);
        let mut bytes = part.clone().sealed_by(SealedBy::Writer, None).full(0);
        bytes[part.offsets[1] as usize + 20] ^= 1;
        disk.put(layout().live(part.name()), &bytes);
        assert_eq!(next(&disk, &mut tails), Some(position(8, 5)));
    }

    #[test]
    fn counts_the_records_of_the_originals_last_segment() {
        let (disk, mut tails) = (MemDisk::new(), Tails::default());
        let path = layout().raw_live().join("8.raw");
        disk.put(&path, &LegacyBytes::new().record(b"a", 5).bytes);
        assert_eq!(next(&disk, &mut tails), Some(position(8, 1)));
        disk.put(&path, &LegacyBytes::new().record(b"a", 5).record(b"b", 5).bytes);
        assert_eq!(next(&disk, &mut tails), Some(position(8, 2)));
        disk.put(layout().raw_live().join("4398046511103.raw"), b"");
        disk.put(layout().raw_live().join("4398046511103.lost"), b"end 0\n");
        assert_eq!(next(&disk, &mut tails), Some(Position::from_packed(u64::MAX)));
    }
}
