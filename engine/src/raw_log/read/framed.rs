//! Scan of a segment of this host: header block, seal block, checksummed frames.

mod pass_over;

use std::path::Path;

use super::blocks::Blocks;
use super::frame::Frame;
use super::scan::{EndReason, ScanEnd, ScanPoint};
use super::window::Window;
use crate::error::{Corruption, Result};
use crate::format::raw::{
    BlockError, FRAME_HEADER_BYTES, FRAME_HEADER_BYTES_MIN, FRAMES_OFFSET, FrameError, FrameHeader, Header,
    SEAL_OFFSET, Seal,
};
use crate::ids::{IndexCode, Position};
use crate::io::disk::{Disk, DiskFile, Transfer};
use crate::limits::{DIRECT_BLOCK_BYTES, SALVAGE_CHECK_BYTES_MAX};
use crate::mutant::bug;

/// Length of the zeros at the beginning of `bytes`, in whole blocks: prepared segments hold little else.
fn leading_zeros(bytes: &[u8]) -> u64 {
    const EMPTY: [u8; DIRECT_BLOCK_BYTES] = [0; DIRECT_BLOCK_BYTES];
    let (blocks, _) = bytes.as_chunks::<DIRECT_BLOCK_BYTES>();
    (blocks.iter().take_while(|block| **block == EMPTY).count() * DIRECT_BLOCK_BYTES) as u64
}

#[derive(Clone, Copy, Debug)]
struct Current {
    header: FrameHeader,
    offset: u64,
    /// Its payload is damaged, and holds nothing that is asked for.
    withheld: bool,
}

#[derive(Debug)]
pub(super) struct FramedScan<F> {
    window: Window<F>,
    header: Header,
    seal: Option<Seal>,
    // Frames end here at the latest.
    limit: u64,
    at: u64,
    least: Position,
    current: Option<Current>,
    end: Option<ScanEnd>,
    // Frames and records seen without a gap since the front, to compare with the seal's.
    seen: Option<(u64, u64)>,
    // Records of other indexes are not asked for.
    only: Option<IndexCode>,
}

impl<F: DiskFile> FramedScan<F> {
    pub(super) async fn open<D: Disk<File = F>>(disk: &D, path: &Path, transfer: Transfer) -> Result<Self> {
        let mut window = Window::open(disk, path, transfer).await?;
        window.load(0, FRAMES_OFFSET as usize).await?;
        let blocks = Blocks::decode(window.at_hand(0));
        let corrupt = |error: BlockError| Corruption {
            path: path.to_owned(),
            offset: 0,
            what: format!("header: {error}"),
        };
        let header = blocks.header.map_err(corrupt)?;
        let seal = blocks.seal.ok();
        let limit = match &seal {
            Some(seal) => seal.end,
            None => window.file_len().await?.min(header.file_bytes),
        };
        Ok(Self {
            window,
            header,
            seal,
            limit,
            at: FRAMES_OFFSET,
            least: Position::new(header.epoch, 0),
            current: None,
            end: None,
            seen: Some((0, 0)),
            only: None,
        })
    }

    /// From now on damage is passed over where it is proven to hold no record of this index.
    pub(super) fn only(&mut self, code: &IndexCode) {
        self.only = Some(code.clone());
    }

    pub(super) const fn header(&self) -> &Header {
        &self.header
    }

    pub(super) const fn seal(&self) -> Option<&Seal> {
        self.seal.as_ref()
    }

    pub(super) fn path(&self) -> &Path {
        self.window.path()
    }

    pub(super) const fn point(&self) -> ScanPoint {
        ScanPoint { offset: self.at, least: self.least }
    }

    pub(super) const fn end(&self) -> Option<ScanEnd> {
        self.end
    }

    pub(super) fn seek(&mut self, point: ScanPoint) -> Result<(), Corruption> {
        let aligned = point.offset.is_multiple_of(self.header.block_bytes.into());
        if !aligned || !(FRAMES_OFFSET..=self.limit.max(FRAMES_OFFSET)).contains(&point.offset) {
            return Err(self.corruption(point.offset, "no frame can begin here"));
        }
        self.at = point.offset;
        self.least = point.least.max(Position::new(self.header.epoch, 0));
        self.current = None;
        self.end = None;
        self.seen = (point.offset == FRAMES_OFFSET).then_some((0, 0));
        Ok(())
    }

    pub(super) fn frame(&self) -> Option<Frame<'_>> {
        let current = self.current?;
        let (bytes, frame_bytes) = if current.withheld {
            (&[][..], 0)
        } else {
            let bytes = self.window.at_hand(current.offset);
            (bytes, usize::try_from(current.header.frame_bytes()).expect("it is in memory"))
        };
        let header_bytes = current.header.header_bytes();
        let padded = usize::try_from(self.at - current.offset).expect("it is in memory");
        Some(Frame {
            path: self.window.path(),
            offset: current.offset,
            payload_offset: current.offset + header_bytes as u64,
            first: current.header.first,
            records: current.header.records,
            time: Some(current.header.time),
            payload: bytes.get(header_bytes..frame_bytes).unwrap_or_default(),
            padding: bytes.get(frame_bytes..padded).unwrap_or_default(),
            from: current.header.first,
            until: current.header.end(),
            withheld: current.withheld,
        })
    }

    pub(super) async fn advance(&mut self) -> Result<bool> {
        self.current = None;
        if self.end.take().is_some() {
            self.window.forget();
        }
        if self.at >= self.limit {
            return self.at_limit();
        }
        match self.check(self.at, self.least).await? {
            Ok(header) => {
                self.accept(header, self.at, false);
                Ok(true)
            }
            Err(error) if self.seal.is_some() => {
                let damage = self.corruption(self.at, error);
                if self.pass_over().await? { Ok(true) } else { Err(damage.into()) }
            }
            Err(_) => {
                let reason = self.reason();
                self.end = Some(ScanEnd { offset: self.at, reason });
                Ok(false)
            }
        }
    }

    /// How much of what is at hand from `offset` on is empty, in whole steps; looked at once for each block.
    async fn empty_at(&mut self, offset: u64) -> Result<u64> {
        if !offset.is_multiple_of(DIRECT_BLOCK_BYTES as u64) {
            return Ok(0);
        }
        self.window.load(offset, FRAME_HEADER_BYTES).await?;
        let step = u64::from(self.header.block_bytes);
        Ok(leading_zeros(self.window.at_hand(offset)) / step * step)
    }

    pub(super) async fn skip_damage(&mut self) -> Result<bool> {
        self.current = None;
        self.end = None;
        self.seen = None;
        let step = u64::from(self.header.block_bytes);
        // Bytes that a client sent can look like the beginnings of frames; checking each would take for ever.
        let mut budget = SALVAGE_CHECK_BYTES_MAX;
        let mut offset = self.at;
        let limit = self.limit.min(self.window.file_len().await?);
        while offset + FRAME_HEADER_BYTES_MIN as u64 <= limit {
            let empty = self.empty_at(offset).await?;
            if empty > 0 {
                offset += empty;
                continue;
            }
            if let Some(header) = self.plausible(offset, self.least).await? {
                if self.check(offset, self.least).await?.is_ok() {
                    self.at = offset;
                    return Ok(true);
                }
                budget = budget.saturating_sub(header.frame_bytes());
                if budget == 0 {
                    break;
                }
            }
            offset += step;
        }
        self.at = self.limit;
        Ok(false)
    }

    fn accept(&mut self, header: FrameHeader, offset: u64, withheld: bool) {
        self.current = Some(Current { header, offset, withheld });
        let end = offset + header.frame_bytes();
        // The padding of a last frame may lie beyond the end of a file that was cut.
        self.at = end.next_multiple_of(self.header.block_bytes.into()).min(self.limit.max(end));
        self.least = header.end();
        self.seen = self.seen.map(|(frames, records)| (frames + 1, records + u64::from(header.records)));
    }

    fn at_limit(&mut self) -> Result<bool> {
        if let (Some(seal), Some((frames, records))) = (&self.seal, self.seen)
            && (frames, records) != (seal.frames, seal.records)
        {
            let what = format!(
                "the seal counts {} frames and {} records, {frames} and {records} are there",
                seal.frames, seal.records
            );
            return Err(self.corruption(SEAL_OFFSET, what).into());
        }
        self.end = Some(ScanEnd { offset: self.at, reason: EndReason::Complete });
        Ok(false)
    }

    /// The header of what may be a frame at `offset`, judged by the header alone.
    async fn plausible(&mut self, offset: u64, least: Position) -> Result<Option<FrameHeader>> {
        Ok(self.decode(offset).await?.ok().filter(|header| self.in_order(header, least)))
    }

    async fn decode(&mut self, offset: u64) -> Result<Result<FrameHeader, FrameError>> {
        let room = self.limit - offset;
        if room < FRAME_HEADER_BYTES_MIN as u64 {
            return Ok(Err(FrameError::Magic));
        }
        self.window.load(offset, FRAME_HEADER_BYTES).await?;
        Ok(FrameHeader::decode(self.window.at_hand(offset), room))
    }

    fn in_order(&self, header: &FrameHeader, least: Position) -> bool {
        let right = header.first.epoch() == self.header.epoch && header.first >= least;
        right || bug!(NoSaltNoPosition)
    }

    /// Verifies the frame at `offset`, which then is in memory whole.
    async fn check(&mut self, offset: u64, least: Position) -> Result<Result<FrameHeader, FrameError>> {
        let header = match self.decode(offset).await? {
            Ok(header) => header,
            Err(error) => return Ok(Err(error)),
        };
        // Old frames and nonsense don't get to say how much is read; what does is bounded by the file.
        if !self.in_order(&header, least) {
            return Ok(Err(FrameError::Position));
        }
        let frame_bytes = usize::try_from(header.frame_bytes()).expect("shorter than 4 GiB");
        let padded = header.frame_bytes().next_multiple_of(self.header.block_bytes.into());
        let padded = padded.min(self.limit - offset);
        self.window.load(offset, usize::try_from(padded).expect("shorter than 4 GiB")).await?;
        let Some(frame) = self.window.at_hand(offset).get(..frame_bytes) else {
            return Ok(Err(FrameError::Field("length")));
        };
        Ok(header.verify(frame, &self.header, least).map(|()| header))
    }

    /// Why no frame begins at the present place of an unsealed segment.
    fn reason(&self) -> EndReason {
        let rest = usize::try_from(self.limit - self.at).unwrap_or(usize::MAX);
        let bytes = self.window.at_hand(self.at);
        let bytes = &bytes[..bytes.len().min(rest)];
        if bytes.iter().take(FRAME_HEADER_BYTES_MIN).all(|&byte| byte == 0) {
            return EndReason::Zero;
        }
        let torn = FrameHeader::decode(bytes, self.limit - self.at)
            .is_ok_and(|header| self.in_order(&header, self.least));
        if torn { EndReason::Torn } else { EndReason::Stale }
    }

    fn corruption(&self, offset: u64, what: impl ToString) -> Corruption {
        Corruption { path: self.window.path().to_owned(), offset, what: what.to_string() }
    }
}
