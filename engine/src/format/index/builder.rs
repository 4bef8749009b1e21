use logtank_wire::record::RecordView;

use super::contents::Contents;
use super::header::{EpochRange, SidecarHeader};
use super::sidecar::Sidecar;
use crate::format::block_table::BlockTable;
use crate::format::names::SegmentKind;
use crate::ids::Epoch;

const DOCID_BYTES_MAX: usize = 128;

/// Builds a sidecar from a segment's records as they are written.
#[derive(Debug, Default)]
pub(crate) struct SidecarBuilder {
    table: BlockTable,
    docids: Vec<u8>,
    contents: Option<Contents>,
}

impl SidecarBuilder {
    /// The sidecar of an empty segment that was dealt, or of a run.
    #[must_use]
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// The sidecar of an empty segment of this kind.
    #[must_use]
    pub(crate) fn of(kind: SegmentKind) -> Self {
        // Of these only may the original write one anew.
        let contents = (kind == SegmentKind::Optimized).then(Contents::default);
        Self { contents, ..Self::default() }
    }

    /// Adds the next record: its bytes as they stand in the segment, and its docid.
    ///
    /// # Panics
    /// If the record is empty: the shortest has one byte.
    pub(crate) fn push(&mut self, record: &[u8], docid: &[u8]) {
        if self.table.push(record) {
            let docid = cut_docid(docid);
            let length = u16::try_from(docid.len()).expect("cut to 128 bytes");
            self.docids.extend_from_slice(&length.to_le_bytes());
            self.docids.extend_from_slice(docid);
        }
        if let Some(contents) = &mut self.contents
            && let Ok((view, _)) = RecordView::parse(record)
        {
            contents.add(&view);
        }
    }

    /// Records so far.
    #[must_use]
    pub(crate) const fn records(&self) -> u64 {
        self.table.records()
    }

    /// Bytes so far.
    #[must_use]
    pub(crate) const fn bytes(&self) -> u64 {
        self.table.bytes()
    }

    /// The sidecar of a segment of this host that is complete now and has `epochs` merged in it.
    #[must_use]
    pub(crate) fn finish(self, kind: SegmentKind, epochs: EpochRange) -> Sidecar {
        self.into_sidecar(kind, epochs, false, false)
    }

    /// The sidecar of a segment that was found without one; of the epochs, its name tells only `time`.
    #[must_use]
    pub(crate) fn finish_found(self, kind: SegmentKind, time: Epoch, torn: bool) -> Sidecar {
        self.into_sidecar(kind, EpochRange::only(time), true, torn)
    }

    fn into_sidecar(self, kind: SegmentKind, epochs: EpochRange, inferred: bool, torn: bool) -> Sidecar {
        assert!(epochs.first <= epochs.last, "a stretch of epochs does not run backwards");
        let docids_bytes = self.docids.len() as u64;
        let header = SidecarHeader {
            kind,
            records: self.table.records(),
            bytes: self.table.bytes(),
            epochs,
            inferred,
            torn,
            docids_bytes,
            contents: self.contents.map_or(0, Contents::value),
        };
        Sidecar { header, table: self.table, docids: self.docids }
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
