//! Checks what a recovery read returned.

use std::collections::BTreeSet;

use logtank_wire::record::RecordView;

use super::document::{State, apply_view};
use super::facts::{Batch, Deletion, Must};

/// When a read began, as the oracle counts.
#[derive(Clone, Copy, Debug)]
pub struct Begun {
    pub(super) tick: u64,
    /// The life in which it began. It may end in a later one.
    pub(super) life: usize,
}

/// What a recovery read returned.
pub(super) struct Read {
    index: usize,
    begun: Begun,
    /// The batches that are in it, by their markers.
    there: BTreeSet<usize>,
    state: State,
}

impl Read {
    /// Looks through the records.
    ///
    /// # Errors
    /// If they are none.
    pub(super) fn new(index: usize, begun: Begun, records: &[Vec<u8>]) -> Result<Self, String> {
        let mut state = State::new();
        for chunk in records {
            let mut rest = &chunk[..];
            while !rest.is_empty() {
                let (view, len) = RecordView::parse(rest).map_err(|error| format!("no record: {error}"))?;
                apply_view(&view, &mut state)?;
                rest = &rest[len..];
            }
        }
        let there = state
            .keys()
            .filter_map(|docid| std::str::from_utf8(docid.strip_prefix(b"m")?).ok()?.parse().ok())
            .collect();
        Ok(Self { index, begun, there, state })
    }

    /// The documents must be what the batches that are there make of them.
    ///
    /// # Errors
    /// What is different.
    pub(super) fn check_documents(&self, batches: &[Batch]) -> Result<(), String> {
        let Self { index, ref there, ref state, .. } = *self;
        let mut expected = State::new();
        for number in there {
            let batch = batches.get(*number).ok_or(format!("batch {number} was never made"))?;
            let parts: Vec<_> = batch.parts.iter().filter(|part| part.index == index).collect();
            if parts.is_empty() {
                return Err(format!("batch {number} has nothing for this index"));
            }
            for record in parts.iter().flat_map(|part| &part.records) {
                record.apply(&mut expected);
            }
        }
        if expected == *state {
            return Ok(());
        }
        let docids: BTreeSet<_> = expected.keys().chain(state.keys()).collect();
        let different = docids.into_iter().find(|docid| expected.get(*docid) != state.get(*docid));
        let docid = different.expect("the states differ");
        let writers: Vec<usize> = there
            .iter()
            .copied()
            .filter(|number| {
                let parts = &batches[*number].parts;
                let of_index = parts.iter().filter(|part| part.index == index);
                of_index.flat_map(|part| &part.records).any(|record| record.docid.as_bytes() == *docid)
            })
            .collect();
        Err(format!(
            "document {} is {:?} instead of {:?}, which batches {writers:?} make of it",
            String::from_utf8_lossy(docid),
            state.get(docid),
            expected.get(docid)
        ))
    }

    /// Batches of which that is known must be there or not; of the others it is known from now on.
    ///
    /// # Errors
    /// Which are not.
    pub(super) fn settle(
        &self,
        batches: &mut [Batch],
        deletions: &[Deletion],
        tick: u64,
    ) -> Result<(), String> {
        let Self { index, begun, ref there, .. } = *self;
        // What was under way when the read began may have been stored behind what it had read, though its life is over now.
        let life = begun.life;
        // One that is under way, or of which nobody knows the end, may take away what it may cover.
        let open = |deletion: &Deletion| {
            deletion.index == index
                && deletion.life >= life
                && (deletion.in_doubt || deletion.ended.is_none_or(|ended| ended > begun.tick))
        };
        let deletion_open = deletions.iter().any(open);
        for (number, batch) in batches.iter_mut().enumerate() {
            let seen = there.contains(&number);
            // Nothing that happened to it can still change the answer.
            let settled = batch.sent().all(|sending| {
                sending.begun < begun.tick
                    && (sending.life < life
                        || sending.acknowledged_tick.is_some_and(|tick| tick < begun.tick))
            });
            let older = batch.sent().all(|sending| sending.life < life);
            for part in batch.parts.iter_mut().filter(|part| part.index == index && part.since < begun.tick) {
                match part.must {
                    Must::NotBeThere if seen => {
                        return Err(format!(
                            "batch {number} is there, but was lost, deleted or never sent: {:?}",
                            batch.sent().collect::<Vec<_>>()
                        ));
                    }
                    Must::BeThere if !seen && !deletion_open => {
                        return Err(format!(
                            "acknowledged batch {number} is not there: {:?}",
                            batch.sent().collect::<Vec<_>>()
                        ));
                    }
                    Must::Either if settled && !deletion_open => {
                        part.set(if seen { Must::BeThere } else { Must::NotBeThere }, tick);
                        batch.secured |= seen && older;
                    }
                    Must::NotBeThere | Must::BeThere | Must::Either => {}
                }
            }
        }
        Ok(())
    }
}
