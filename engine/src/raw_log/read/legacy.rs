//! Scan of a raw segment of the original: Thrift records one behind the other, without header, length or
//! checksum.
//!
//! The original never synced, so each of its files may end torn or in zeros. What is not a record that it could
//! have written ends the segment. Ordinals count the records from 0.

use std::path::Path;

use logtank_wire::record::{DecodeError, RecordView};

use super::frame::Frame;
use super::scan::{EndReason, ScanEnd, ScanPoint};
use super::window::Window;
use crate::error::{Corruption, Result};
use crate::ids::{Epoch, Position};
use crate::io::disk::{Disk, DiskFile, Transfer};
use crate::limits::{LEGACY_RECORD_BYTES_MAX, ORDINAL_BITS, SCAN_CHUNK_BYTES};

/// Pages appear on disk whole or as zeros.
const PAGE_BYTES: u64 = 4096;
/// More zeros than any whole record ends in: it holds no text that ends in NULs.
const TRAILING_ZEROS_MAX: u64 = 32;
/// Records of one delivered run are about this long together.
const RUN_BYTES: usize = SCAN_CHUNK_BYTES / 4;

#[derive(Clone, Copy, Debug)]
struct Current {
    offset: u64,
    bytes: usize,
    first: Position,
    records: u32,
}

#[derive(Debug)]
pub(super) struct LegacyScan<F> {
    window: Window<F>,
    epoch: Epoch,
    at: u64,
    next: Position,
    current: Option<Current>,
    end: Option<ScanEnd>,
}

/// What stands at the beginning of some bytes.
enum Step {
    Record(usize),
    /// More bytes are needed to tell.
    More,
    End(EndReason),
}

impl<F: DiskFile> LegacyScan<F> {
    pub(super) async fn open<D: Disk<File = F>>(
        disk: &D,
        path: &Path,
        epoch: Epoch,
        transfer: Transfer,
    ) -> Result<Self> {
        let window = Window::open(disk, path, transfer).await?;
        Ok(Self { window, epoch, at: 0, next: Position::new(epoch, 0), current: None, end: None })
    }

    pub(super) fn path(&self) -> &Path {
        self.window.path()
    }

    pub(super) const fn point(&self) -> ScanPoint {
        ScanPoint { offset: self.at, least: self.next }
    }

    pub(super) const fn end(&self) -> Option<ScanEnd> {
        self.end
    }

    pub(super) fn seek(&mut self, point: ScanPoint) -> Result<(), Corruption> {
        if point.least.epoch() != self.epoch {
            let what = "a position of another epoch can't be here".to_owned();
            return Err(Corruption { path: self.path().to_owned(), offset: point.offset, what });
        }
        self.at = point.offset;
        self.next = point.least;
        self.current = None;
        self.end = None;
        Ok(())
    }

    pub(super) fn frame(&self) -> Option<Frame<'_>> {
        let current = self.current?;
        Some(Frame {
            path: self.window.path(),
            offset: current.offset,
            payload_offset: current.offset,
            first: current.first,
            records: current.records,
            time: None,
            payload: &self.window.at_hand(current.offset)[..current.bytes],
            padding: &[],
            from: current.first,
            until: self.next,
            withheld: false,
        })
    }

    pub(super) async fn advance(&mut self) -> Result<bool> {
        self.current = None;
        if self.end.take().is_some() {
            self.window.forget();
        }
        let mut wanted = SCAN_CHUNK_BYTES / 2;
        loop {
            self.window.load(self.at, wanted).await?;
            let bytes = self.window.at_hand(self.at);
            let whole_file = bytes.len() < wanted;
            let (used, records, stop) = run_of_records(bytes, self.at, whole_file);
            if records > 0 {
                return self.accept(used, records);
            }
            let reason = match stop {
                Step::End(reason) => reason,
                Step::More if whole_file && bytes.is_empty() => EndReason::Complete,
                Step::More if whole_file => EndReason::Torn,
                // A length that can't be leads nowhere, however much is read.
                Step::More if wanted >= LEGACY_RECORD_BYTES_MAX => EndReason::Stale,
                Step::More | Step::Record(_) => {
                    wanted *= 2;
                    continue;
                }
            };
            self.end = Some(ScanEnd { offset: self.at, reason });
            return Ok(false);
        }
    }

    fn accept(&mut self, bytes: usize, records: u32) -> Result<bool> {
        let first = self.next;
        if u64::from(first.ordinal()) + u64::from(records) >= 1 << ORDINAL_BITS {
            let what = format!("a segment of more than {} records: split it", 1u64 << ORDINAL_BITS);
            return Err(Corruption { path: self.path().to_owned(), offset: self.at, what }.into());
        }
        self.current = Some(Current { offset: self.at, bytes, first, records });
        self.at += bytes as u64;
        self.next = first.advanced(records);
        Ok(true)
    }
}

/// How many bytes and records at the beginning of `bytes`, which stand at `offset` in the file, are whole
/// records; and what stands behind them.
fn run_of_records(bytes: &[u8], offset: u64, whole_file: bool) -> (usize, u32, Step) {
    let (mut used, mut records) = (0, 0);
    loop {
        if used >= RUN_BYTES {
            return (used, records, Step::More);
        }
        match step(&bytes[used..], offset + used as u64, whole_file) {
            Step::Record(len) => {
                used += len;
                records += 1;
            }
            stop => return (used, records, stop),
        }
    }
}

fn step(bytes: &[u8], offset: u64, whole_file: bool) -> Step {
    let rest = &bytes[..bytes.len().min(LEGACY_RECORD_BYTES_MAX)];
    let (record, len) = match RecordView::parse(rest) {
        Ok(parsed) => parsed,
        Err(DecodeError::Incomplete) => return Step::More,
        Err(_) => return Step::End(EndReason::Stale),
    };
    // The original stamps every record and refuses those without an index; an empty one is what zeros look like.
    if record.timestamp_ms.is_none() || record.index_code.is_none() {
        return Step::End(if bytes[0] == 0 { EndReason::Zero } else { EndReason::Stale });
    }
    match bytes.get(len) {
        None if !whole_file => Step::More,
        // A record begins with the type of its first field, never with zero.
        None | Some(0) if ends_in_lost_page(&bytes[..len], offset) => Step::End(EndReason::Torn),
        _ => Step::Record(len),
    }
}

/// Whether the last page that the record at `offset` reaches into holds nothing of it but zeros: the page never
/// reached the drive, and the zeros only happen to read as the end of a record.
fn ends_in_lost_page(record: &[u8], offset: u64) -> bool {
    let end = offset + record.len() as u64;
    let zeros = record.iter().rev().take_while(|&&byte| byte == 0).count() as u64;
    let first_page = (end - zeros).next_multiple_of(PAGE_BYTES);
    first_page > offset && first_page < end && end - first_page > TRAILING_ZEROS_MAX
}

#[cfg(test)]
mod tests;
