//! The merge rule: what one record is worth several of its docid.
//!
//! Newer into older: if the newer is deleted, the older becomes exactly the newer; else fields, if set,
//! replace fields, and variables and categories are merged key by key. So a merged record can be deleted
//! *and* have content: "delete, then add". The rule is associative: a stretch may be merged in parts.
//! The merged record keeps the oldest's timestamp, as in the original.
//!
//! A sorted segment keeps deletions, because older segments may hold the document. An optimized segment has
//! nothing before it: a deletion without content leaves no record, one with content is just content.

use super::record::{Record, view};
use super::segment_writer::SegmentWriter;
use crate::error::Result;
use crate::io::disk::Disk;
use crate::mutant::bug;

/// What is merged into: it decides what becomes of deletions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// A sorted segment.
    Sort,
    /// An optimized segment, from the oldest segment on.
    Optimize,
}

impl Record {
    /// Applies `newer`, a record of the same docid, to this one.
    pub fn merge(&mut self, newer: Self) {
        let Self { timestamp_ms: _, docid, deleted, fields, variables, categories } = newer;
        assert_eq!(self.docid, docid, "only records of one document are merged");
        if deleted {
            (self.deleted, self.fields, self.variables, self.categories) =
                (true, fields, variables, categories);
            return;
        }
        if fields.is_some() {
            self.fields = fields;
        }
        if let Some(variables) = variables {
            self.variables.get_or_insert_default().extend(variables);
        }
        if let Some(categories) = categories {
            self.categories.get_or_insert_default().extend(categories);
        }
    }
}

impl Rule {
    /// Writes a record whose docid no other has, given as it stands in its segment: byte for byte if it may
    /// stay as it is. `scratch` is memory to work in.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) async fn write_alone<D: Disk>(
        self,
        bytes: &[u8],
        docid: &[u8],
        target: &mut SegmentWriter<D>,
        scratch: &mut Vec<u8>,
    ) -> Result<()> {
        let record = view(bytes);
        // The original's merged records carry an id, ours never do.
        let plain = record.id.is_none() && record.index_code.is_none();
        let stays = match self {
            Self::Sort => plain && !(record.deleted && bug!(TombstoneDropped)),
            Self::Optimize => plain && !record.deleted,
        };
        if stays {
            return target.push(bytes, docid).await;
        }
        self.write_merged(Record::from_view(&record), target, scratch).await
    }

    /// Writes what is left of a docid when all its records are merged into `record`.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) async fn write_merged<D: Disk>(
        self,
        record: Record,
        target: &mut SegmentWriter<D>,
        scratch: &mut Vec<u8>,
    ) -> Result<()> {
        let Some(record) = self.finished(record) else { return Ok(()) };
        scratch.clear();
        record.write(scratch);
        target.push(scratch, &record.docid).await
    }

    fn finished(self, mut record: Record) -> Option<Record> {
        match self {
            Self::Sort if bug!(TombstoneDropped) => Self::Optimize.finished(record),
            Self::Sort => Some(record),
            Self::Optimize if record.deleted && !record.has_content() => None,
            Self::Optimize => {
                record.deleted = false;
                Some(record)
            }
        }
    }
}
