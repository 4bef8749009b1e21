//! Checks what was made again from a copy of history.

use std::collections::BTreeSet;

use logtank_engine::ids::Position;
use logtank_wire::record::RecordView;

use super::facts::{Batch, Must, Part};
use super::read::Begun;

/// What was made again of an index.
#[derive(Debug)]
pub struct Restored<'a> {
    /// When the copy was taken: what was deleted later is in it.
    pub begun: Begun,
    /// Where the copied segments have a record. Of the oldest epoch, and of more of them after a power cut, history may have
    /// only some: it is pruned by the segment.
    pub positions: &'a BTreeSet<Position>,
    /// Its records, as they were read.
    pub records: &'a [Vec<u8>],
}

impl Restored<'_> {
    /// Everything that stands in the segments that were copied must be there, and nothing that was lost or deleted.
    pub(super) fn check(&self, index: usize, code: &str, batches: &[Batch]) -> Result<(), String> {
        let mut there = BTreeSet::new();
        for chunk in self.records {
            let mut rest = &chunk[..];
            while !rest.is_empty() {
                let (view, len) = RecordView::parse(rest).map_err(|error| format!("no record: {error}"))?;
                let marker = view.docid.and_then(|docid| docid.strip_prefix(b"m"));
                there.extend(
                    marker.and_then(|number| std::str::from_utf8(number).ok()?.parse::<usize>().ok()),
                );
                rest = &rest[len..];
            }
        }
        for (number, batch) in batches.iter().enumerate() {
            let whole =
                !batch.positions.is_empty() && batch.positions.iter().all(|at| self.positions.contains(at));
            let known = |part: &&Part| part.index == index && part.since < self.begun.tick;
            for part in batch.parts.iter().filter(known) {
                match part.must {
                    Must::BeThere if whole && !there.contains(&number) => {
                        return Err(format!(
                            "batch {number} of {code} stands in history at {:?}, but is not in what was restored from it",
                            batch.positions
                        ));
                    }
                    Must::NotBeThere if there.contains(&number) => {
                        return Err(format!(
                            "batch {number} of {code} was lost or deleted, but came back when restored"
                        ));
                    }
                    Must::BeThere | Must::NotBeThere | Must::Either => {}
                }
            }
        }
        Ok(())
    }
}
