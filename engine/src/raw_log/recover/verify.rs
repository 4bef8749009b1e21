//! Checks every byte under `raw/` that something depends on, and looks for what is missing.

mod presence;

use std::fmt;
use std::path::Path;

use self::presence::Presence;
use super::stray::{self, Past};
use crate::deletions::archive;
use crate::error::{Corruption, Error, Result};
use crate::format::checkpoint::Checkpoint;
use crate::format::names::{RawName, time_of};
use crate::format::raw::{BlockError, FRAMES_OFFSET, HEADER_BYTES, Header, SEAL_OFFSET, Seal};
use crate::ids::Epoch;
use crate::io::buffers::AlignedBuf;
use crate::io::disk::{Disk, DiskFile, Transfer};
use crate::raw_log::read::live::{LiveView, SegmentState, raw_names};
use crate::raw_log::read::lost::Lost;
use crate::raw_log::read::missing::Missing;
use crate::raw_log::read::scan::{EndReason, Item, SegmentScan};
use crate::store::Store;

/// What was checked and what was found.
#[derive(Debug, Default)]
pub struct VerifyReport {
    /// Files read.
    pub files: u64,
    /// Bytes of records found whole.
    pub bytes: u64,
    /// Records found whole.
    pub records: u64,
    /// What is wrong, each with its file and offset: damage, or that a file could not be read.
    pub findings: Vec<Error>,
    /// What is missing, and not written down as missing.
    pub gaps: Vec<Gap>,
    /// What is written down as missing, in .lost files: an earlier start reported it.
    pub reported: Vec<Gap>,
    presence: Presence,
}

/// What is missing from the raw log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gap {
    /// Whole epochs.
    Epochs(Missing),
    /// Positions of one epoch.
    Positions {
        /// The epoch.
        epoch: Epoch,
        /// How many.
        records: u64,
    },
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Epochs(missing) => missing.fmt(f),
            Self::Positions { epoch, records } => {
                write!(f, "{records} records of epoch {epoch} ({}) are not there", time_of(*epoch))
            }
        }
    }
}

/// Reads what counts in `raw/live/` and `raw/history/`, from the drive itself. A finding does not end it. May run
/// beside a writer and a dealer: what they are still at is no finding.
///
/// # Errors
/// The disk's, if the folders can't be listed.
pub async fn verify<D: Disk>(store: &Store<D>) -> Result<VerifyReport> {
    let mut report = VerifyReport::default();
    // Before raw/live/: what is dealt meanwhile lies behind it.
    let checkpoint = Checkpoint::read(store).await?.next().ok();
    let unarchived = stray::read_unarchived(store).await?;
    let view = LiveView::look(store, Transfer::Direct).await?;
    if let Some(checkpoint) = checkpoint {
        let past = Past::look(store, &view, checkpoint, &unarchived).await?;
        for stray in past.strays {
            // It may have been one that a dealer has moved since.
            if store.disk().metadata(&stray.path).await?.is_some() {
                report.findings.push(stray.into());
            }
        }
    }
    for unusable in view.unusable.iter().filter(|unusable| !unusable.never_sealed) {
        report.damage(&unusable.file.path, 0, format!("header: {}", unusable.error));
    }
    for epoch in view.epochs.values() {
        report.findings.extend(epoch.surplus().map(Error::from));
        for segment in &epoch.segments {
            // If it got its name since the look, it is there under that.
            if !report.file(store.disk(), &segment.path, segment.name, true).await? {
                report.file(store.disk(), &store.layout().live(segment.name), segment.name, true).await?;
            }
        }
        if epoch.lost.is_some() {
            let name = RawName::Lost(epoch.epoch);
            report.file(store.disk(), &store.layout().live(name), name, true).await?;
        }
    }
    // Where a writer may be at work, or has ended without a start since, what is not there may still come.
    let unsealed =
        |state: &SegmentState| matches!(state, SegmentState::Open(_) | SegmentState::SealDamaged(..));
    let segments = || view.epochs.values().flat_map(|epoch| &epoch.segments);
    let quiet = view.ready.is_empty() && !segments().any(|segment| unsealed(&segment.state));
    // Otherwise all that is missing is named below.
    if let Some(checkpoint) = checkpoint.filter(|_| !quiet) {
        report.short_epochs(store, &view, checkpoint).await?;
    }
    // After raw/live/: what moved meanwhile is here.
    for name in raw_names(store, &store.layout().raw_history()).await? {
        report.file(store.disk(), &store.layout().history(name), name, false).await?;
    }
    let (files, damaged) = archive::verify(store).await?;
    report.files += files;
    report.findings.extend(damaged.into_iter().map(Error::from));
    let presence = std::mem::take(&mut report.presence);
    (report.gaps, report.reported) = presence.gaps(checkpoint.unwrap_or(Epoch::ZERO), quiet);
    Ok(report)
}

impl VerifyReport {
    /// Epochs with fewer records than positions, or missing whole: only where a later one is there, and where it is still so
    /// after all of raw/live/ was read. The last one may just be being written.
    async fn short_epochs<D: Disk>(&mut self, store: &Store<D>, view: &LiveView, from: Epoch) -> Result<()> {
        let short = |view: &LiveView| {
            let greatest = view.greatest_epoch();
            let mut short = Vec::new();
            for epoch in view.epochs.range(from..).map(|(_, epoch)| epoch) {
                short.extend(epoch.shortage().filter(|_| greatest != Some(epoch.epoch)));
                if let (Some(missing), Some(segment)) =
                    (view.missing_before(epoch, from), epoch.segments.first())
                {
                    let what =
                        format!("nothing is there of epoch {missing}, which was closed before this one");
                    short.push(Corruption { path: segment.path.clone(), offset: SEAL_OFFSET, what });
                }
            }
            short
        };
        let found = short(view);
        if found.is_empty() {
            return Ok(());
        }
        let again = short(&LiveView::look(store, Transfer::Direct).await?);
        let still = found.into_iter().filter(|finding| again.contains(finding));
        self.findings.extend(still.map(Error::from));
        Ok(())
    }

    fn damage(&mut self, path: &Path, offset: u64, what: impl ToString) {
        let what = what.to_string();
        self.findings.push(Corruption { path: path.to_owned(), offset, what }.into());
    }

    /// Checks one file; `false` if it is not there (any more).
    async fn file<D: Disk>(&mut self, disk: &D, path: &Path, name: RawName, live: bool) -> Result<bool> {
        let mut found = Self { files: 1, ..Self::default() };
        let checked = match name {
            RawName::Legacy(epoch) => {
                let checked = found.legacy(disk, path).await;
                let empty = checked.is_ok() && found.bytes == 0 && found.findings.is_empty();
                found.presence.legacy(epoch, empty);
                checked
            }
            RawName::Lost(epoch) => Lost::read(disk, path, epoch).await.map(|lost| match lost {
                Ok(lost) => found.presence.lost(&lost),
                Err(damage) => {
                    found.presence.unknown(epoch);
                    found.findings.push(damage.into());
                }
            }),
            RawName::Segment { .. } | RawName::Ready(_) => found.segment(disk, path, live).await,
        };
        if let Err(error) = checked {
            found.findings.push(error);
        }
        // A file that moved while it was read may be in use for something else by now.
        if !found.findings.is_empty() && disk.metadata(path).await?.is_none() {
            return Ok(false);
        }
        self.files += found.files;
        self.bytes += found.bytes;
        self.records += found.records;
        self.findings.append(&mut found.findings);
        self.presence.add(found.presence);
        Ok(true)
    }

    async fn legacy<D: Disk>(&mut self, disk: &D, path: &Path) -> Result<()> {
        let mut scan = SegmentScan::open(disk, path, Transfer::Direct).await?;
        while let Some(frame) = scan.next_frame().await? {
            self.bytes += frame.payload.len() as u64;
            self.records += u64::from(frame.records);
        }
        let end = scan.end().expect("the scan has just ended");
        match end.reason {
            EndReason::Complete | EndReason::Zero => {}
            EndReason::Torn => self.damage(path, end.offset, "the last record is torn"),
            EndReason::Stale => self.damage(path, end.offset, "not a record, nor is anything behind it"),
        }
        Ok(())
    }

    async fn segment<D: Disk>(&mut self, disk: &D, path: &Path, live: bool) -> Result<()> {
        let Some(sealed) = self.blocks(disk, path, live).await? else { return Ok(()) };
        let mut items = SegmentScan::open(disk, path, Transfer::Direct).await?.strict();
        while let Some(item) = items.next().await? {
            match item {
                Item::Frame(frame) => {
                    // Where nothing is sealed, the writer may just be reusing what stood here.
                    if sealed && frame.padding.iter().any(|&byte| byte != 0) {
                        let offset = frame.payload_offset + frame.payload.len() as u64;
                        self.damage(frame.path, offset, "the padding behind a frame is not zero");
                    }
                    self.bytes += frame.payload.len() as u64;
                    self.records += u64::from(frame.records);
                    self.findings.extend(frame.records().find_map(Result::err).map(Error::from));
                }
                Item::Damage(damage) => self.findings.push(damage.into()),
                Item::End(_) => {}
            }
        }
        Ok(())
    }

    /// Checks header and seal to the last byte. Whether the segment is sealed; `None` if its header is no good.
    async fn blocks<D: Disk>(&mut self, disk: &D, path: &Path, live: bool) -> Result<Option<bool>> {
        let file = disk.open(path, Transfer::Direct).await?;
        let (result, bytes) = file.read_at(AlignedBuf::with_capacity(FRAMES_OFFSET as usize), 0).await;
        result?;
        let (Some(header_block), Some(seal_block)) =
            (bytes.first_chunk(), bytes.get(HEADER_BYTES..).and_then(<[u8]>::first_chunk))
        else {
            self.damage(path, bytes.len() as u64, "too short for a segment");
            return Ok(None);
        };
        let header = match Header::decode(header_block) {
            Ok(header) => header,
            Err(error) => {
                self.damage(path, 0, format!("header: {error}"));
                let name = path.file_name().and_then(|name| name.to_str()).and_then(RawName::parse);
                name.and_then(RawName::epoch).into_iter().for_each(|epoch| self.presence.unknown(epoch));
                return Ok(None);
            }
        };
        if header.encode() != *header_block {
            self.damage(path, 0, "bytes behind the header are not zero");
        }
        match Seal::decode(seal_block, &header) {
            Ok(seal) => {
                if seal.encode() != *seal_block {
                    self.damage(path, SEAL_OFFSET, "bytes behind the seal are not zero");
                }
                self.presence.sealed(&header, &seal);
                Ok(Some(true))
            }
            Err(BlockError::Empty) if live => {
                self.presence.unknown(header.epoch);
                Ok(Some(false))
            }
            Err(BlockError::Empty) => {
                self.presence.unknown(header.epoch);
                self.damage(path, SEAL_OFFSET, "not sealed, though in history");
                Ok(Some(false))
            }
            Err(error) => {
                self.presence.unknown(header.epoch);
                self.damage(path, SEAL_OFFSET, format!("seal: {error}"));
                Ok(Some(false))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raw_log::test_support::{LegacyBytes, MemDisk, SegmentBytes, layout, raw_disk};
    use crate::testing::run;
    use crate::testing::store;

    fn verified(disk: &MemDisk) -> VerifyReport {
        run(verify(&store(disk, &layout()))).unwrap()
    }

    fn whole() -> MemDisk {
        let disk = raw_disk();
        let (live, history) = (layout().raw_live(), layout().raw_history());
        disk.put(history.join("5.raw"), &LegacyBytes::new().record(b"a", 5).bytes);
        disk.put(history.join("8-0-0.rawlog"), &sealed().full(0xee));
        disk.put(history.join("8.lost"), lost().as_bytes());
        disk.put(live.join("ready-3.rawlog"), &SegmentBytes::new(9, 1, 0, 8).frame(3, 2).full(0xee));
        disk.put(live.join("ready-4.rawlog"), &[0; 12_288]);
        disk
    }

    fn sealed() -> SegmentBytes {
        SegmentBytes::new(8, 0, 0, 512).file_bytes(12_288).frame(0, 2).frame(3, 2).sealed(5)
    }

    fn lost() -> String {
        Lost { epoch: crate::raw_log::test_support::epoch(8), gaps: vec![(2, 3)] }.encode()
    }

    #[test]
    fn what_is_whole_has_no_findings_though_a_writer_is_at_work() {
        let report = verified(&whole());
        assert!(report.findings.is_empty(), "{:?}", report.findings);
        assert_eq!((report.files, report.records), (4, 7));
        assert!(report.bytes > 100);
        assert_eq!(run(verify(&store(&MemDisk::new(), &layout()))).unwrap().files, 0, "a fresh host");
    }

    #[test]
    fn every_byte_of_a_sealed_segment_counts() {
        let bytes = sealed().full(0xee);
        let path = layout().raw_history().join("8-0-0.rawlog");
        for at in (0..80).chain(4000..4200).chain(8000..sealed().bytes.len()) {
            let disk = whole();
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            disk.put(&path, &damaged);
            let findings = verified(&disk).findings;
            let place = |finding: &Error| matches!(finding, Error::Corrupt(found) if found.path == path && found.offset <= at as u64);
            assert!(!findings.is_empty() && findings.iter().all(place), "byte {at}: {findings:?}");
        }
    }

    #[test]
    fn each_file_is_told_by_name() {
        let finding = |path: &str, bytes: &[u8]| {
            let disk = whole();
            disk.put(layout().raw().join(path), bytes);
            let findings = verified(&disk).findings;
            assert_eq!(findings.len(), 1, "{path}: {findings:?}");
            assert!(findings[0].to_string().contains(path), "{path}: {findings:?}");
            findings[0].to_string()
        };
        finding("history/8.lost", b"2 1\n");
        finding("history/5.raw", &LegacyBytes::new().record(b"a", 5).bytes[..30]);
        finding("history/5.raw", b"\x0f\xff\xff\xff\xff\xff");
        finding("history/9-0-0.rawlog", b"short");
        assert!(
            finding("history/9-0-0.rawlog", &SegmentBytes::new(9, 0, 0, 8).full(0)).contains("not sealed")
        );
        finding("live/ready-9.rawlog", &[1; 12_288]);
        finding("live/9-2-0.rawlog", &[0; 12_288]);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_a_finding_and_the_rest_is_checked() {
        let disk = whole();
        let calls = {
            verified(&disk);
            disk.calls()
        };
        let mut found = 0;
        for call in 0..calls {
            let disk = whole();
            disk.fail_at(call, std::io::ErrorKind::Other);
            if let Ok(report) = run(verify(&store(&disk, &layout()))) {
                assert_eq!((report.findings.len(), report.files), (1, 4), "call {call}");
                found += 1;
            }
        }
        assert!(found > 10, "{found}");
    }

    #[test]
    fn an_epoch_with_fewer_records_than_positions_is_a_finding() {
        let disk = whole();
        let put = |segment: SegmentBytes| disk.put(layout().live(segment.name()), &segment.full(0));
        put(SegmentBytes::new(12, 0, 0, 8).file_bytes(12_288).frame(0, 2).sealed(5));
        assert!(verified(&disk).findings.is_empty(), "the last one may just be being written");
        put(SegmentBytes::new(14, 0, 0, 8).file_bytes(12_288).frame(0, 2).after(13).sealed(2));
        let findings: Vec<_> = verified(&disk).findings.iter().map(ToString::to_string).collect();
        assert_eq!(findings.len(), 2, "{findings:?}");
        assert!(
            findings[0].contains("12-0-0.rawlog") && findings[0].contains("3 are missing"),
            "{findings:?}"
        );
        assert!(findings[1].contains("nothing is there of epoch 13"), "{findings:?}");
        disk.put(layout().raw_live().join("12.lost"), &lost_of(12, 2, 5));
        disk.put(layout().raw_live().join("13.lost"), &lost_of(13, 0, 0));
        assert!(verified(&disk).findings.is_empty(), "written down");
    }

    fn lost_of(millis: u64, begin: u32, end: u32) -> Vec<u8> {
        let gaps = if begin < end { vec![(begin, end)] } else { Vec::new() };
        Lost { epoch: crate::raw_log::test_support::epoch(millis), gaps }.encode().into_bytes()
    }

    #[test]
    fn an_epoch_from_before_the_checkpoint_is_a_finding() {
        let disk = whole();
        let stray = SegmentBytes::new(7, 0, 0, 8).file_bytes(12_288).frame(0, 2).sealed(2);
        disk.put(layout().live(stray.name()), &stray.full(0));
        for (checkpoint, found) in [("7", 0), ("8", 0), ("9", 1)] {
            disk.put(layout().checkpoint(), checkpoint.as_bytes());
            let findings = verified(&disk).findings;
            assert_eq!(findings.len(), found, "{checkpoint}: {findings:?}");
            assert!(findings.iter().all(|finding| finding.to_string().contains("7-0-0.rawlog")));
        }
    }

    #[test]
    fn an_epoch_with_more_records_than_positions_is_a_finding() {
        let disk = whole();
        for (shard, first, records) in [(0, 0, 6), (1, 1, 5)] {
            let segment =
                SegmentBytes::new(12, shard, 0, 8).file_bytes(12_288).frame(first, records).sealed(6);
            disk.put(layout().live(segment.name()), &segment.full(0));
        }
        let findings = verified(&disk).findings;
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].to_string().contains("hold 11 records"), "{findings:?}");
    }

    /// Epochs 10, 20, 30 and 40 of one shard and one process.
    fn four() -> Vec<SegmentBytes> {
        let mut all: Vec<SegmentBytes> = Vec::new();
        for millis in [10, 20, 30, 40] {
            let mut segment = SegmentBytes::new(millis, 0, 0, 512).file_bytes(12_288).frame(0, 2);
            if millis > 10 {
                segment = segment.follows(millis - 10, 0).after(millis - 10);
            }
            all.push(segment.sealed(2));
        }
        all
    }

    fn gaps(disk: &MemDisk) -> [Vec<String>; 2] {
        let report = verified(disk);
        assert!(report.findings.is_empty(), "{:?}", report.findings);
        [report.gaps, report.reported].map(|gaps| gaps.iter().map(ToString::to_string).collect())
    }

    fn with(folder: &Path, left_out: &[usize]) -> MemDisk {
        let disk = raw_disk();
        for (place, segment) in four().iter().enumerate().filter(|(place, _)| !left_out.contains(place)) {
            assert!(place < 4);
            disk.put(folder.join(segment.name().to_string()), &segment.full(0));
        }
        disk
    }

    #[test]
    fn a_gap_is_named_with_the_epochs_around_it() {
        let (live, history) = (layout().raw_live(), layout().raw_history());
        let named = |disk: &MemDisk, expected: &[&str]| {
            let [gaps, reported] = gaps(disk);
            assert!(reported.is_empty(), "{reported:?}");
            assert_eq!(gaps.len(), expected.len(), "{gaps:?}");
            assert!(gaps.iter().zip(expected).all(|(gap, text)| gap.contains(text)), "{gaps:?}");
        };
        named(&with(&live, &[]), &[]);
        named(&with(&live, &[1, 2]), &["between epoch 10 (1970-01-01 00:00:00.010 UTC) and epoch 40"]);
        named(&with(&live, &[0]), &["nothing is there before epoch 20"]);
        named(&with(&live, &[3]), &[]);
        let dealt = |left_out: &[usize]| {
            let disk = with(&history, left_out);
            disk.put(layout().checkpoint(), b"41");
            disk
        };
        named(&dealt(&[0]), &[]);
        named(&dealt(&[2]), &["between epoch 20"]);
        // One of two shards.
        let disk = with(&live, &[]);
        let half = SegmentBytes::new(50, 1, 0, 512).file_bytes(12_288).frame(1, 2).sealed(5);
        disk.put(live.join(half.name().to_string()), &half.full(0));
        named(&disk, &["3 records of epoch 50"]);
        disk.put(live.join("ready-3.rawlog"), &[0; 12_288]);
        named(&disk, &[]);
        // The original's empty file is no neighbour, and nothing is missing where it was.
        let disk = with(&live, &[1]);
        disk.put(live.join("11.raw"), b"");
        named(&disk, &["between epoch 10 (1970-01-01 00:00:00.010 UTC) and epoch 30"]);
        disk.put(live.join("20.raw"), b"");
        named(&disk, &[]);
    }

    #[test]
    fn what_a_start_has_reported_is_no_new_gap() {
        let disk = with(&layout().raw_live(), &[1]);
        disk.put(layout().raw_live().join("20.lost"), b"end 0\n");
        let [gaps, reported] = gaps(&disk);
        assert!(gaps.is_empty(), "{gaps:?}");
        assert!(reported[0].contains("between epoch 10"), "{reported:?}");
    }
}
