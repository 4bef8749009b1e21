//! Salvages what is whole of damaged segments in `raw/live/`, so that dealing can go on.
//!
//! An epoch is dealt only when it can be read whole. When a damaged file can't be put back from a copy, this
//! writes down which positions are gone (`EPOCH.lost`, as recovery does), keeps the damaged file aside, and puts a
//! segment with all frames that verify in its place. Each step is durable before the next; a repair that was
//! interrupted is done by doing it again.

use std::path::{Path, PathBuf};

use super::frame::Frame;
use super::gaps::Spans;
use super::live::{EpochView, LiveView, SegmentState, SegmentView};
use super::lost::Lost;
use super::scan::SegmentScan;
use crate::error::{Error, Result};
use crate::format::layout::Layout;
use crate::format::names::RawName;
use crate::format::raw::{
    FRAME_HEADER_BYTES, FRAMES_OFFSET, FrameHeader, Header, SEAL_OFFSET, Seal, SealedBy,
};
use crate::ids::Position;
use crate::io::disk::{self, Disk, DiskFile, Transfer, publish_small};
use crate::time::WallMillis;

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repaired {
    /// Segments that were replaced, or removed because nothing of them was whole.
    pub segments: Vec<RepairedSegment>,
    /// What is gone of each epoch concerned.
    pub lost: Vec<Lost>,
    /// Damaged segments of the original: they have nothing to find the next whole record by, and stay.
    pub left: Vec<PathBuf>,
}

/// One segment that was replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepairedSegment {
    /// The name that it has.
    pub path: PathBuf,
    /// Where it is as it was.
    pub aside: PathBuf,
    /// Records that are whole.
    pub records: u64,
}

/// Repairs every damaged epoch of `raw/live/`. What is replaced is copied to the folder `aside` first, which is created.
/// The raw log must be in order (see [`super::recovery`]) and nobody may write or deal.
///
/// # Errors
/// The disk's. What was done before stays done.
pub async fn repair<D: Disk>(disk: &D, layout: &Layout, aside: &Path, now: WallMillis) -> Result<Repaired> {
    let mut repaired = Repaired::default();
    let view = LiveView::look(disk, layout, Transfer::Direct).await?;
    for epoch in view.epochs.values() {
        repair_epoch(disk, layout, aside, epoch, now, &mut repaired).await?;
    }
    Ok(repaired)
}

/// What is whole of one segment.
#[derive(Debug)]
struct Salvaged {
    /// A segment of it; `None` if the header is lost, and with it the salt of every frame.
    bytes: Option<Vec<u8>>,
    records: u64,
    spans: Spans,
    damaged: bool,
    /// Ordinals handed out in the epoch, if the seal tells.
    epoch_records: u32,
}

async fn repair_epoch<D: Disk>(
    disk: &D,
    layout: &Layout,
    aside: &Path,
    epoch: &EpochView,
    now: WallMillis,
    repaired: &mut Repaired,
) -> Result<()> {
    let mut found = Vec::new();
    for segment in &epoch.segments {
        if let SegmentState::Legacy { .. } = segment.state {
            if is_damaged(disk, segment).await? {
                repaired.left.push(segment.path.clone());
            }
            continue;
        }
        found.push((segment, salvage(disk, segment, now).await?));
    }
    if found.iter().all(|(_, salvaged)| !salvaged.damaged) && !matches!(epoch.lost, Some(Err(_))) {
        return Ok(());
    }
    let mut spans = Spans::default();
    for (_, salvaged) in &found {
        spans.add_all(&salvaged.spans);
    }
    let told = found.iter().map(|(_, salvaged)| salvaged.epoch_records).max().unwrap_or(0);
    let total = spans.end().max(told);
    let lost = Lost { epoch: epoch.epoch, gaps: spans.gaps(total).normalized() };
    // First what is gone: from then on nobody waits for it.
    lost.publish(disk, &layout.live(RawName::Lost(epoch.epoch))).await?;
    repaired.lost.push(lost);
    for (segment, salvaged) in found.into_iter().filter(|(_, salvaged)| salvaged.damaged) {
        repaired.segments.push(replace(disk, segment, salvaged, aside).await?);
    }
    Ok(())
}

async fn is_damaged<D: Disk>(disk: &D, segment: &SegmentView) -> Result<bool> {
    let mut scan = SegmentScan::open(disk, &segment.path, Transfer::Direct).await?;
    loop {
        match scan.advance().await {
            Ok(true) => {}
            Ok(false) => return Ok(false),
            Err(Error::Corrupt(_)) => return Ok(true),
            Err(error) => return Err(error),
        }
    }
}

async fn salvage<D: Disk>(disk: &D, segment: &SegmentView, now: WallMillis) -> Result<Salvaged> {
    let (header, seal) = match &segment.state {
        SegmentState::Sealed(header, seal) => (*header, Some(*seal)),
        SegmentState::Open(header) | SegmentState::SealDamaged(header, _) => (*header, None),
        SegmentState::HeaderDamaged(_) => {
            let spans = Spans::default();
            return Ok(Salvaged { bytes: None, records: 0, spans, damaged: true, epoch_records: 0 });
        }
        SegmentState::Legacy { .. } => unreachable!("sorted out before"),
    };
    let mut rebuilt = Rebuilt::new(header);
    let mut spans = Spans::default();
    // An open one was left by a crash after the raw log was put in order, which can't be: its seal is gone.
    let mut damaged = seal.is_none();
    let mut scan = SegmentScan::open(disk, &segment.path, Transfer::Direct).await?;
    loop {
        match scan.next_frame().await {
            Ok(Some(frame)) => {
                spans.add(frame.first, frame.end());
                rebuilt.push(&frame);
            }
            Ok(None) if seal.is_none() => {
                // Without a seal the first thing that is no frame looks like the end.
                if !scan.skip_damage().await? {
                    break;
                }
            }
            Ok(None) => break,
            Err(Error::Corrupt(_)) => {
                let known = damaged;
                damaged = true;
                if !scan.skip_damage().await? && known {
                    // Nothing more, and what stands at the end is the count that does not match any more.
                    break;
                }
            }
            Err(error) => return Err(error),
        }
    }
    let epoch_records = seal.and_then(|seal| seal.epoch_records).unwrap_or(0);
    let (bytes, records) = rebuilt.sealed(seal, now);
    Ok(Salvaged { bytes: Some(bytes), records, spans, damaged, epoch_records })
}

/// A segment with some of the frames of another, and its name and salt.
#[derive(Debug)]
struct Rebuilt {
    header: Header,
    bytes: Vec<u8>,
    frames: u64,
    records: u64,
}

impl Rebuilt {
    fn new(header: Header) -> Self {
        let mut bytes = header.encode().to_vec();
        bytes.resize(usize::try_from(FRAMES_OFFSET).expect("two blocks"), 0);
        Self { header, bytes, frames: 0, records: 0 }
    }

    fn push(&mut self, frame: &Frame<'_>) {
        let mut bytes = vec![0; FRAME_HEADER_BYTES];
        bytes.extend_from_slice(frame.payload);
        let time = frame.time.expect("a frame of this host's format has a time");
        FrameHeader::seal_frame(&mut bytes, self.header.salt, frame.records, frame.first, time);
        self.bytes.extend_from_slice(&bytes);
        let block = usize::try_from(self.header.block_bytes).expect("a block is short");
        self.bytes.resize(self.bytes.len().next_multiple_of(block), 0);
        self.frames += 1;
        self.records += u64::from(frame.records);
    }

    fn sealed(mut self, before: Option<Seal>, now: WallMillis) -> (Vec<u8>, u64) {
        let seal = Seal {
            salt: self.header.salt,
            epoch: self.header.epoch,
            end: self.bytes.len() as u64,
            frames: self.frames,
            records: self.records,
            // What the epoch held does not add up any more; its .lost file says so.
            epoch_records: None,
            previous: before.and_then(|seal| seal.previous),
            sealed_by: SealedBy::Recovery,
            sealed: now,
        };
        let block = seal.encode();
        let at = usize::try_from(SEAL_OFFSET).expect("one block");
        self.bytes[at..at + block.len()].copy_from_slice(&block);
        (self.bytes, self.records)
    }
}

/// Keeps the damaged file aside, then puts what is whole in its place in one step.
async fn replace<D: Disk>(
    disk: &D,
    segment: &SegmentView,
    salvaged: Salvaged,
    aside: &Path,
) -> Result<RepairedSegment> {
    disk.create_folder(aside).await?;
    disk.sync_folder(disk::parent(aside)).await?;
    let kept = aside.join(segment.name.to_string());
    let file = disk.open(&segment.path, Transfer::Direct).await?;
    let length = usize::try_from(file.len().await?).expect("a segment fits into memory");
    let bytes = disk::read_small(disk, &segment.path, length).await?;
    publish_small(disk, &kept, &bytes).await?;
    match salvaged.bytes {
        Some(bytes) => publish_small(disk, &segment.path, &bytes).await?,
        None => {
            disk.remove_file(&segment.path).await?;
            disk.sync_folder(disk::parent(&segment.path)).await?;
        }
    }
    Ok(RepairedSegment { path: segment.path.clone(), aside: kept, records: salvaged.records })
}

/// How many positions are gone.
impl Repaired {
    /// Records that are gone, over all epochs.
    #[must_use]
    pub fn lost_records(&self) -> u64 {
        self.lost.iter().map(Lost::records).sum()
    }

    /// The gaps as ranges of positions, for people.
    pub fn lost_positions(&self) -> impl Iterator<Item = (Position, u32)> + '_ {
        let gaps = |lost: &Lost| {
            let epoch = lost.epoch;
            lost.gaps
                .iter()
                .map(move |&(first, end)| (Position::new(epoch, first), end - first))
                .collect::<Vec<_>>()
        };
        self.lost.iter().flat_map(gaps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raw_log::merged::EpochScan;
    use crate::raw_log::test_support::{CrashDisk, Cut, SegmentBytes, epoch, layout, position};
    use crate::raw_log::verify::verify;
    use crate::testing::run;

    fn aside() -> PathBuf {
        layout().raw().join("damaged")
    }

    fn segments() -> [SegmentBytes; 2] {
        [
            SegmentBytes::new(8, 0, 0, 512).file_bytes(16_384).frame(0, 2).frame(4, 3).frame(9, 1).sealed(10),
            SegmentBytes::new(8, 1, 0, 512).file_bytes(16_384).frame(2, 2).frame(7, 2).sealed(10),
        ]
    }

    fn path(shard: u16) -> PathBuf {
        layout().raw_live().join(format!("8-{shard}-0.rawlog"))
    }

    /// With byte `at` of the first segment flipped.
    fn damaged(at: usize) -> CrashDisk {
        let disk = CrashDisk::new(&layout());
        let [first, second] = segments();
        let mut bytes = first.full(0);
        bytes[at] ^= 0x10;
        disk.put(path(0), &bytes);
        disk.put(path(1), &second.full(0));
        disk
    }

    fn repaired(disk: &CrashDisk) -> Repaired {
        run(repair(disk, &layout(), &aside(), WallMillis(99))).unwrap()
    }

    /// Ordinals that a dealer would get, or why it gets none.
    fn dealt(disk: &CrashDisk) -> Result<Vec<u32>> {
        run(async {
            let view = LiveView::look(disk, &layout(), Transfer::Direct).await?;
            assert!(view.is_complete(epoch(8)), "a dealer would wait for ever");
            let range = position(8, 0)..position(9, 0);
            let mut scan = EpochScan::open(disk, &view.epochs[&epoch(8)], range, Transfer::Direct).await?;
            let mut ordinals = Vec::new();
            while let Some(frame) = scan.next_frame().await? {
                for record in frame.records() {
                    ordinals.push(record?.position.ordinal());
                }
            }
            Ok(ordinals)
        })
    }

    #[test]
    fn what_is_whole_is_left_alone() {
        let disk = damaged(0);
        disk.put(path(0), &segments()[0].full(0));
        let before = disk.files();
        assert_eq!(repaired(&disk), Repaired::default());
        assert_eq!(disk.files(), before);
    }

    #[test]
    fn a_damaged_frame_costs_only_its_records() {
        let offsets = segments()[0].offsets.clone();
        let expected = [(vec![(0, 2)], 0), (vec![(4, 7)], 1), (vec![(9, 10)], 2)];
        for (gaps, number) in expected {
            let at = usize::try_from(offsets[number]).unwrap() + 40;
            let disk = damaged(at);
            assert!(dealt(&disk).is_err(), "damage blocks dealing");
            let done = repaired(&disk);
            assert_eq!(done.lost, [Lost { epoch: epoch(8), gaps: gaps.clone() }]);
            assert_eq!(done.segments.len(), 1);
            let there = |ordinal: &u32| !gaps.iter().any(|(first, end)| (first..end).contains(&ordinal));
            assert_eq!(dealt(&disk).unwrap(), (0..10).filter(there).collect::<Vec<_>>());
            let findings = run(verify(&disk, &layout())).unwrap().findings;
            assert!(findings.is_empty(), "{findings:?}");
            let mut original = segments()[0].full(0);
            original[at] ^= 0x10;
            assert_eq!(disk.files()[&done.segments[0].aside], original, "the damaged file is kept");
            assert_eq!(repaired(&disk), Repaired::default(), "once is enough");
        }
    }

    #[test]
    fn a_lost_header_or_seal_is_repaired_too() {
        let disk = damaged(5);
        let done = repaired(&disk);
        assert_eq!(done.lost_records(), 6, "{done:?}");
        assert_eq!(dealt(&disk).unwrap(), [2, 3, 7, 8]);
        let disk = damaged(4096 + 5);
        let done = repaired(&disk);
        assert_eq!(done.lost_records(), 0, "every frame is whole: {done:?}");
        assert_eq!(dealt(&disk).unwrap(), (0..10).collect::<Vec<_>>());
    }

    #[test]
    fn a_crash_at_any_step_is_finished_by_repairing_again() {
        let at = usize::try_from(segments()[0].offsets[1]).unwrap() + 40;
        let calls = {
            let disk = damaged(at);
            repaired(&disk);
            disk.calls()
        };
        assert!(calls > 10, "{calls}");
        for call in 0..calls {
            for cut in Cut::ALL {
                let disk = damaged(at);
                disk.die_at(call);
                let _ = run(repair(&disk, &layout(), &aside(), WallMillis(99)));
                disk.restart(cut);
                repaired(&disk);
                assert_eq!(dealt(&disk).unwrap(), [0, 1, 2, 3, 7, 8, 9], "call {call}, {cut:?}");
                assert!(disk.files().contains_key(&aside().join("8-0-0.rawlog")), "call {call}, {cut:?}");
            }
        }
    }
}
