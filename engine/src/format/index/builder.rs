use logtank_wire::record::RecordView;

use super::contents::Contents;
use super::header::{EpochRange, SidecarHeader};
use super::sidecar::{BLOCK, Block, Sidecar};
use crate::format::names::SegmentKind;
use crate::ids::Epoch;
use crate::limits::SIDECAR_BLOCK_BYTES;

const DOCID_BYTES_MAX: usize = 128;

/// Builds a sidecar from a segment's records as they are written.
#[derive(Debug, Default)]
pub struct SidecarBuilder {
    records: u64,
    bytes: u64,
    blocks: Vec<Block>,
    docids: Vec<u8>,
    contents: Option<Contents>,
}

impl SidecarBuilder {
    /// The sidecar of an empty segment that was dealt, or of a run.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The sidecar of an empty segment of this kind.
    #[must_use]
    pub fn of(kind: SegmentKind) -> Self {
        // Of these only may the original write one anew.
        let contents = (kind == SegmentKind::Optimized).then(Contents::default);
        Self { contents, ..Self::default() }
    }

    /// Adds the next record: its bytes as they stand in the segment, and its docid.
    ///
    /// # Panics
    /// If the record is empty: the shortest has one byte.
    pub fn push(&mut self, record: &[u8], docid: &[u8]) {
        assert!(!record.is_empty(), "a record has at least a stop byte");
        let within = u32::try_from(self.bytes % BLOCK).expect("less than a block");
        if within == 0 {
            self.blocks.push(Block { checksum: 0, begins: None, record: self.records });
        }
        let block = self.blocks.last_mut().expect("the record's first block has just been made sure of");
        if block.begins.is_none() {
            block.begins = Some(within);
            block.record = self.records;
            let docid = cut_docid(docid);
            let length = u16::try_from(docid.len()).expect("cut to 128 bytes");
            self.docids.extend_from_slice(&length.to_le_bytes());
            self.docids.extend_from_slice(docid);
        }
        self.records += 1;
        if let Some(contents) = &mut self.contents
            && let Ok((view, _)) = RecordView::parse(record)
        {
            contents.add(&view);
        }
        let mut rest = record;
        loop {
            let room = SIDECAR_BLOCK_BYTES - (self.bytes % BLOCK) as usize;
            let (part, behind) = rest.split_at(rest.len().min(room));
            let block = self.blocks.last_mut().expect("there is one for the bytes at hand");
            block.checksum = crc32c::crc32c_append(block.checksum, part);
            self.bytes += part.len() as u64;
            rest = behind;
            if rest.is_empty() {
                return;
            }
            self.blocks.push(Block { checksum: 0, begins: None, record: self.records });
        }
    }

    /// Records so far.
    #[must_use]
    pub const fn records(&self) -> u64 {
        self.records
    }

    /// Bytes so far.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The sidecar of a segment of this host that is complete now and has `epochs` merged in it.
    #[must_use]
    pub fn finish(self, kind: SegmentKind, epochs: EpochRange) -> Sidecar {
        self.into_sidecar(kind, epochs, false, false)
    }

    /// The sidecar of a segment that was found without one; of the epochs, its name tells only `time`.
    #[must_use]
    pub fn finish_found(self, kind: SegmentKind, time: Epoch, torn: bool) -> Sidecar {
        self.into_sidecar(kind, EpochRange::only(time), true, torn)
    }

    fn into_sidecar(self, kind: SegmentKind, epochs: EpochRange, inferred: bool, torn: bool) -> Sidecar {
        assert!(epochs.first <= epochs.last, "a stretch of epochs does not run backwards");
        let docids_bytes = self.docids.len() as u64;
        let header = SidecarHeader {
            kind,
            records: self.records,
            bytes: self.bytes,
            epochs,
            inferred,
            torn,
            docids_bytes,
            contents: self.contents.map_or(0, Contents::value),
        };
        Sidecar { header, blocks: self.blocks, docids: self.docids }
    }
}

// The longest beginning of `docid` that fits and does not end within a character, so that it still orders
// as the docid does: never after it.
fn cut_docid(docid: &[u8]) -> &[u8] {
    if docid.len() <= DOCID_BYTES_MAX {
        return docid;
    }
    let mut end = DOCID_BYTES_MAX;
    while end > 0 && docid[end] & 0xC0 == 0x80 {
        end -= 1;
    }
    &docid[..end]
}
