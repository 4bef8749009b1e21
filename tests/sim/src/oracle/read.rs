//! Checks what a recovery read returned.

use std::collections::BTreeSet;

use logtank_wire::record::RecordView;

use super::document::{State, apply_view};
use super::known::{Deletion, Must, Oracle};

/// When a read began, as the oracle counts.
#[derive(Clone, Copy, Debug)]
pub struct Begun {
    pub(super) tick: u64,
    /// The life in which it began. It may end in a later one.
    life: usize,
}

impl Oracle {
    /// A recovery read of an index begins, maybe before the first start; or a copy is taken.
    pub fn read_begins(&mut self) -> Begun {
        Begun { tick: self.tick(), life: self.lives.len().saturating_sub(1) }
    }

    /// A recovery read ended. Learns from it what was not known before.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read_ends(&mut self, index: usize, begun: Begun, records: &[Vec<u8>]) -> Result<(), String> {
        let code = self.codes[index].clone();
        let wrong = |what: String| format!("a recovery read of {code}: {what}");
        let mut state = State::new();
        for chunk in records {
            let mut rest = &chunk[..];
            while !rest.is_empty() {
                let (view, len) =
                    RecordView::parse(rest).map_err(|error| wrong(format!("no record: {error}")))?;
                apply_view(&view, &mut state).map_err(&wrong)?;
                rest = &rest[len..];
            }
        }
        let there: BTreeSet<usize> = state
            .keys()
            .filter_map(|docid| std::str::from_utf8(docid.strip_prefix(b"m")?).ok()?.parse().ok())
            .collect();
        self.check_documents(index, &there, &state).map_err(&wrong)?;
        self.check_markers(index, begun, &there).map_err(&wrong)
    }

    fn check_documents(&self, index: usize, there: &BTreeSet<usize>, state: &State) -> Result<(), String> {
        let mut expected = State::new();
        for number in there {
            let batch = self.batches.get(*number).ok_or(format!("batch {number} was never made"))?;
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
                let parts = &self.batches[*number].parts;
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

    fn check_markers(&mut self, index: usize, begun: Begun, there: &BTreeSet<usize>) -> Result<(), String> {
        // What was under way when the read began may have been stored behind what it had read, though its life is over now.
        let (life, tick) = (begun.life, self.tick());
        // One that is under way, or of which nobody knows the end, may take away what it may cover.
        let open = |deletion: &Deletion| {
            deletion.index == index
                && deletion.life >= life
                && (deletion.in_doubt || deletion.ended.is_none_or(|ended| ended > begun.tick))
        };
        let deletion_open = self.deletions.iter().any(open);
        for (number, batch) in self.batches.iter_mut().enumerate() {
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
        self.judge_lives()
    }
}
