//! Reads what was left open, from the drive itself, and plans what is to be done.

use std::ops::Range;

use super::chain::Chain;
use super::plan::{Plan, Seal};
use super::report::{RecoveryProgress, RecoveryReport};
use crate::error::{Corruption, Result};
use crate::format::names::RawName;
use crate::format::raw::{BlockError, Header, SEAL_OFFSET};
use crate::ids::Epoch;
use crate::io::disk::{Disk, Transfer};
use crate::limits::ORDINAL_BITS;
use crate::mutant::or_bug;
use crate::raw_log::read::frame::Frame;
use crate::raw_log::read::gaps::Spans;
use crate::raw_log::read::live::{EpochView, LiveView, SegmentState, SegmentView};
use crate::raw_log::read::lost::Lost;
use crate::raw_log::read::scan::{EndReason, Item, SegmentScan};

/// What is known of an epoch's ordinals.
#[derive(Default)]
struct Found {
    /// Records that are there.
    present: Spans,
    /// May stand in damaged parts of sealed segments: neither there nor lost.
    hidden: Spans,
    /// Whole but given up.
    dropped_end: u32,
}

impl Found {
    fn add(&mut self, other: &Self) {
        self.present.add_all(&other.present);
        self.hidden.add_all(&other.hidden);
        self.dropped_end = self.dropped_end.max(other.dropped_end);
    }
}

/// What counts of a segment.
#[derive(Default)]
struct Extent {
    /// Where its last whole frame ends.
    end: u64,
    frames: u64,
    records: u64,
    /// Padding that is not zero.
    stale: Vec<Range<u64>>,
}

impl Extent {
    fn count(&mut self, frame: &Frame<'_>) {
        self.frames += 1;
        self.records += u64::from(frame.records);
    }
}

pub(super) struct Inspector<'a, D> {
    pub(super) disk: &'a D,
    pub(super) plan: Plan,
    pub(super) report: RecoveryReport,
    pub(super) progress: RecoveryProgress,
    pub(super) tell: &'a mut dyn FnMut(RecoveryProgress),
}

impl<D: Disk> Inspector<'_, D> {
    /// Plans for all epochs of the view; those before `dealt_before` are dealt, and missing nothing.
    pub(super) async fn inspect(&mut self, view: &LiveView, dealt_before: Epoch) -> Result<()> {
        for unusable in &view.unusable {
            let path = &unusable.file.path;
            let damage =
                Corruption { path: path.clone(), offset: 0, what: format!("header: {}", unusable.error) };
            match unusable.error {
                BlockError::Version(_) => return Err(damage.into()),
                _ if unusable.never_sealed => self.plan.resets.push(unusable.clone()),
                _ => self.report.damaged.push(damage),
            }
        }
        let left_open = |epoch: &EpochView| epoch.segments.iter().any(|segment| is_open(&segment.state));
        let missing = |epoch: &EpochView| epoch.epoch >= dealt_before && !view.is_complete(epoch.epoch);
        let to_read = |epoch: &&EpochView| left_open(epoch) || missing(epoch);
        self.progress.segments_total =
            view.epochs.values().filter(to_read).map(|epoch| epoch.segments.len() as u64).sum();
        let mut chain = Chain::new(view, dealt_before);
        for epoch in view.epochs.values() {
            let broken = epoch.segments.iter().any(|segment| chain.is_broken_before(segment));
            if to_read(&epoch) || broken {
                self.epoch(epoch, epoch.epoch >= dealt_before, &mut chain).await?;
                continue;
            }
            // An earlier start may have ended between writing this down and telling anybody.
            match epoch.lost.as_ref().filter(|_| epoch.epoch >= dealt_before) {
                Some(Ok(lost)) if !lost.gaps.is_empty() => self.report.lost.push(lost.clone()),
                Some(Ok(_)) if epoch.segments.is_empty() => self.report.missing_epochs.push(epoch.epoch),
                Some(Err(damage)) => self.report.damaged.push(damage.clone()),
                Some(Ok(_)) | None => {}
            }
        }
        for missing in view.missing(dealt_before) {
            // With the file it counts as complete, and what follows it can be dealt.
            self.plan.lost.push(Lost { epoch: missing, gaps: Vec::new() });
            self.report.missing_epochs.push(missing);
        }
        // Whole epochs are not read again, but what can't be read of them at all is told now.
        for segment in view.epochs.values().flat_map(|epoch| &epoch.segments) {
            if let SegmentState::HeaderDamaged(error) = segment.state {
                let damage =
                    Corruption { path: segment.path.clone(), offset: 0, what: format!("header: {error}") };
                if matches!(error, BlockError::Version(_)) {
                    return Err(damage.into());
                }
                self.report.damaged.push(damage);
            }
        }
        Ok(())
    }

    async fn epoch(&mut self, epoch: &EpochView, undealt: bool, chain: &mut Chain) -> Result<()> {
        let (mut found, mut behind_hole) = (Found::default(), false);
        chain.reads(epoch.epoch);
        for segment in &epoch.segments {
            (self.tell)(self.progress);
            match header(segment).filter(|_| chain.is_broken_before(segment)) {
                Some(header) => {
                    behind_hole = true;
                    self.behind_hole(segment, header, epoch.lost.is_some(), &mut found).await?;
                }
                None => {
                    let mut here = Found::default();
                    self.segment(segment, &mut here).await?;
                    if let RawName::Segment { epoch, shard, .. } = segment.name {
                        chain.has(epoch, shard, &here.present);
                        chain.has(epoch, shard, &here.hidden);
                    }
                    found.add(&here);
                }
            }
            self.progress.segments += 1;
        }
        self.progress.segments_total = self.progress.segments_total.max(self.progress.segments);
        (self.tell)(self.progress);
        if !undealt {
            return Ok(());
        }
        // Dealing will meet it again, and name the frame.
        self.report.damaged.extend(epoch.surplus());
        let mut known = Spans::default();
        match &epoch.lost {
            None => {}
            Some(Ok(lost)) => lost.gaps.iter().for_each(|&(first, end)| known.add_ordinals(first, end)),
            Some(Err(damage)) => self.report.damaged.push(damage.clone()),
        }
        let total = epoch.records_by_seal().unwrap_or(0).max(found.present.end()).max(found.dropped_end);
        let mut covered = found.present;
        covered.add_all(&found.hidden);
        // What was once reported lost stays lost.
        let mut gaps = covered.gaps(total);
        gaps.add_all(&known);
        let lost = Lost { epoch: epoch.epoch, gaps: gaps.normalized() };
        let sealing = epoch.segments.iter().any(|segment| is_open(&segment.state));
        or_bug!(LossUnreported, (), return Ok(()));
        if !lost.gaps.is_empty() {
            self.report.lost.push(lost.clone());
        }
        // Where the file is damaged, nobody knows what was reported lost before: it stays, and dealing waits until a person has put
        // a copy in its place, or has had it repaired.
        if matches!(epoch.lost, Some(Err(_))) {
            return Ok(());
        }
        // Without a seal of recovery, only the file tells that this epoch was looked through; and that what stands behind a hole
        // is not to be brought back, when the next start does not see that hole any more.
        if !lost.gaps.is_empty() || !sealing || behind_hole {
            self.plan.lost.push(lost);
        }
        Ok(())
    }

    async fn segment(&mut self, segment: &SegmentView, found: &mut Found) -> Result<()> {
        match &segment.state {
            SegmentState::HeaderDamaged(_) => found.hidden.add_ordinals(0, 1 << ORDINAL_BITS),
            SegmentState::Legacy { .. } => self.legacy(segment).await?,
            SegmentState::Open(header) => self.open(segment, *header, found).await?,
            SegmentState::SealDamaged(header, error) => {
                let what = format!("seal: {error}; sealed again behind the last whole frame");
                self.report.damaged.push(Corruption {
                    path: segment.path.clone(),
                    offset: SEAL_OFFSET,
                    what,
                });
                let scan = SegmentScan::open(self.disk, &segment.path, Transfer::Direct).await?;
                let extent = self.sealed(scan, found).await?;
                self.seal(segment, *header, extent, false);
            }
            SegmentState::Sealed(..) => {
                let scan = SegmentScan::open(self.disk, &segment.path, Transfer::Direct).await?;
                self.sealed(scan, found).await?;
            }
        }
        Ok(())
    }

    /// A segment before whose frames others of its shard are lost: nothing in it counts.
    async fn behind_hole(
        &mut self,
        segment: &SegmentView,
        header: Header,
        known: bool,
        found: &mut Found,
    ) -> Result<()> {
        let scan = SegmentScan::open(self.disk, &segment.path, Transfer::Direct).await?;
        let mut items = scan.salvaging();
        let (begin, mut cut_bytes) = (items.point().offset, 0);
        while let Some(item) = items.next().await? {
            let Item::Frame(frame) = item else { continue };
            let dropped_end = frame.first.ordinal() + frame.records;
            found.dropped_end = found.dropped_end.max(dropped_end);
            // An earlier start may have reported it.
            if !known {
                self.report.dropped_frames += 1;
                self.report.dropped_records += u64::from(frame.records);
                cut_bytes = items.point().offset - begin;
            }
        }
        self.report.cut_bytes += cut_bytes;
        // A seal of the writer stays: that its records are lost is written down.
        if is_open(&segment.state) {
            self.seal(segment, header, Extent { end: begin, ..Extent::default() }, true);
        }
        Ok(())
    }

    async fn legacy(&mut self, segment: &SegmentView) -> Result<()> {
        let mut scan = SegmentScan::open(self.disk, &segment.path, Transfer::Direct).await?;
        while let Some(frame) = scan.next_frame().await? {
            self.progress.bytes += frame.payload.len() as u64;
        }
        let torn = scan.end().is_some_and(|end| end.reason != EndReason::Complete);
        self.report.torn_segments += u64::from(torn);
        Ok(())
    }

    /// A segment that was being written: counts up to the first thing that is not a frame.
    async fn open(&mut self, segment: &SegmentView, header: Header, found: &mut Found) -> Result<()> {
        let scan = SegmentScan::open(self.disk, &segment.path, Transfer::Direct).await?;
        let mut items = scan.salvaging();
        let mut extent = Extent::default();
        let (mut first_end, mut last) = (None, 0);
        while let Some(item) = items.next().await? {
            match item {
                Item::Frame(frame) if first_end.is_none() => {
                    found.present.add(frame.first, frame.end());
                    self.progress.bytes += frame.payload.len() as u64;
                    extent.count(&frame);
                    if frame.padding.iter().any(|&byte| byte != 0) {
                        let begin = frame.payload_offset + frame.payload.len() as u64;
                        extent.stale.push(begin..begin + frame.padding.len() as u64);
                    }
                }
                Item::Frame(frame) => {
                    self.report.dropped_frames += 1;
                    self.report.dropped_records += u64::from(frame.records);
                    let dropped_end = frame.first.ordinal() + frame.records;
                    found.dropped_end = found.dropped_end.max(dropped_end);
                    last = items.point().offset;
                }
                Item::Damage(damage) => return Err(damage.into()),
                Item::End(end) => _ = first_end.get_or_insert(end),
            }
        }
        let end = first_end.expect("a segment without a seal has an end before all damage");
        let last = last.max(end.offset);
        self.report.torn_segments += u64::from(end.reason == EndReason::Torn);
        self.report.cut_bytes += last - end.offset;
        let cut_at = or_bug!(SealBehindHole, end.offset, last);
        extent.end = cut_at;
        self.seal(segment, header, extent, end.reason != EndReason::Complete);
        Ok(())
    }

    /// A segment that was complete once: what does not verify is damage, and what it hides is not lost.
    async fn sealed(&mut self, scan: SegmentScan<D::File>, found: &mut Found) -> Result<Extent> {
        let mut items = scan.salvaging();
        let sealed = items.seal().is_some();
        let mut extent = Extent { end: items.point().offset, ..Extent::default() };
        let mut hidden_from = None;
        while let Some(item) = items.next().await? {
            match item {
                Item::Frame(frame) => {
                    if let Some(from) = hidden_from.take() {
                        found.hidden.add_ordinals(from, frame.first.ordinal());
                    }
                    found.present.add(frame.first, frame.end());
                    self.progress.bytes += frame.payload.len() as u64;
                    extent.count(&frame);
                    extent.end = items.point().offset;
                }
                Item::Damage(damage) => {
                    self.report.damaged.push(damage);
                    hidden_from = Some(items.point().least.ordinal());
                }
                Item::End(_) if sealed => {}
                Item::End(_) => hidden_from = Some(items.point().least.ordinal()),
            }
        }
        // Without a seal nothing says that there was more than was found.
        if let Some(from) = hidden_from.filter(|_| sealed) {
            found.hidden.add_ordinals(from, 1 << ORDINAL_BITS);
        }
        Ok(extent)
    }

    /// Plans to seal a segment after what counts of it; `cut` if what follows there must not look like a frame.
    fn seal(&mut self, segment: &SegmentView, header: Header, extent: Extent, cut: bool) {
        let Extent { end, frames, records, stale } = extent;
        self.report.sealed_segments += 1;
        self.report.frames += frames;
        self.report.records += records;
        // A file that was shortened may end in a last frame's padding.
        let end = end.next_multiple_of(header.block_bytes.into());
        self.plan.seals.push(Seal { path: segment.path.clone(), header, end, frames, records, cut, stale });
    }
}

fn header(segment: &SegmentView) -> Option<Header> {
    match &segment.state {
        SegmentState::Open(header)
        | SegmentState::Sealed(header, _)
        | SegmentState::SealDamaged(header, _) => Some(*header),
        SegmentState::Legacy { .. } | SegmentState::HeaderDamaged(_) => None,
    }
}

fn is_open(state: &SegmentState) -> bool {
    match state {
        SegmentState::Open(_) | SegmentState::SealDamaged(..) => true,
        SegmentState::Legacy { .. } | SegmentState::Sealed(..) | SegmentState::HeaderDamaged(_) => false,
    }
}
