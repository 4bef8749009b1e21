//! What a batch may hold: looked at once, whole, before anything of it is kept.

use logtank_wire::batch::BatchView;
use logtank_wire::decode_error::DecodeError;
use logtank_wire::record::RecordView;

use crate::format::frame_indexes::FrameIndexes;
use crate::ids::{IndexCode, InvalidIndexCode};
use crate::limits::Limits;

/// Why a batch is refused. Nothing of it is kept; the connection stays usable.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// The bytes are no list of records.
    #[error("record {record} can't be read: {source}; nothing of the batch was stored")]
    Unreadable { record: u32, source: DecodeError },
    /// A record breaks the contract.
    #[error("record {record} {what}; nothing of the batch was stored")]
    Record { record: u32, what: Fault },
    /// More records than a batch may have.
    #[error(
        "the batch has {records} records, at most {most} are taken at once: send it in parts; nothing of it was stored"
    )]
    TooMany { records: u32, most: u32 },
}

/// What is wrong with a record.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("has an id (field 1), which clients must not set")]
    Id,
    #[error("has no index_code (field 3)")]
    NoIndexCode,
    #[error("has a bad index_code (field 3): {0}")]
    IndexCode(#[from] InvalidIndexCode),
    #[error("has content but no docid (field 4)")]
    NoDocid,
    #[error("has {bytes} bytes, at most {most} are taken")]
    TooLong { bytes: usize, most: usize },
}

impl Refusal {
    /// Whether a limit was exceeded, in contrast to the contract broken.
    pub(super) const fn is_limit(&self) -> bool {
        matches!(self, Self::TooMany { .. } | Self::Record { what: Fault::TooLong { .. }, .. })
    }
}

/// What a batch that may be stored comes to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Batch {
    /// Records to store.
    pub(super) records: u32,
    /// Records that say nothing and are left out.
    pub(super) dropped: u32,
    /// Which indexes the records to store are of.
    pub(super) indexes: FrameIndexes,
    /// Records to store whose docid is not UTF-8. Dealing makes it so, as the original does.
    pub(super) malformed: u32,
    /// Bytes of the records to store.
    pub(super) bytes: usize,
}

/// A batch that may be stored, as pieces of what was received.
#[derive(Debug, Default)]
pub(super) struct Accepted {
    /// Where they are, as (offset, length) in the batch's bytes: one piece, unless records between were dropped. Kept
    /// from batch to batch, so that checking allocates nothing.
    pieces: Vec<(usize, usize)>,
}

impl Accepted {
    /// Looks at a batch whole. `body` is what its records lie in.
    pub(super) fn check(
        &mut self,
        body: &[u8],
        batch: &BatchView<'_>,
        limits: &Limits,
    ) -> Result<Batch, Refusal> {
        let mut accepted = Batch { indexes: FrameIndexes::NONE, ..Batch::default() };
        self.pieces.clear();
        if batch.len() > limits.batch_records_max {
            return Err(Refusal::TooMany { records: batch.len(), most: limits.batch_records_max });
        }
        let mut last = None;
        for (record, item) in (0..).zip(batch.records()) {
            let (view, bytes) = item.map_err(|source| Refusal::Unreadable { record, source })?;
            let keep = check_record(&view, bytes, limits).map_err(|what| Refusal::Record { record, what })?;
            if !keep {
                accepted.dropped += 1;
                continue;
            }
            let offset = bytes.as_ptr().addr() - body.as_ptr().addr();
            match self.pieces.last_mut() {
                Some((begin, len)) if *begin + *len == offset => *len += bytes.len(),
                _ => self.pieces.push((offset, bytes.len())),
            }
            // Most batches are of one index.
            if view.index_code != last {
                last = view.index_code;
                last.into_iter().for_each(|code| accepted.indexes.add(code));
            }
            accepted.malformed += u32::from(view.docid.is_some_and(|docid| str::from_utf8(docid).is_err()));
            accepted.records += 1;
            accepted.bytes += bytes.len();
        }
        Ok(accepted)
    }

    /// The records to store, in order.
    pub(super) fn pieces<'b>(&self, body: &'b [u8]) -> impl Iterator<Item = &'b [u8]> + use<'b, '_> {
        self.pieces.iter().map(|&(offset, len)| &body[offset..offset + len])
    }
}

/// Whether a record is to be kept: one without docid that sets nothing says nothing, also if it deletes. The original takes
/// it as well, and drops it when it deals.
fn check_record(record: &RecordView<'_>, bytes: &[u8], limits: &Limits) -> Result<bool, Fault> {
    if record.id.is_some() {
        return Err(Fault::Id);
    }
    let Some(code) = record.index_code else { return Err(Fault::NoIndexCode) };
    if !IndexCode::is_valid(code) {
        return Err(InvalidIndexCode.into());
    }
    if bytes.len() > limits.record_bytes_max {
        return Err(Fault::TooLong { bytes: bytes.len(), most: limits.record_bytes_max });
    }
    let sets = record.fields.is_some() || record.variables.is_some() || record.categories.is_some();
    match (record.docid, sets) {
        (None, true) => Err(Fault::NoDocid),
        (None, false) => Ok(false),
        (Some(_), _) => Ok(true),
    }
}
