//! What a load sent, what became of it, and whether what was recovered agrees with that.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::apply::{Document, State};
use crate::load::{Load, change, docid, index_name, marker};

/// One change of a document, made anew from its number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) batch: u32,
    pub(crate) document: u32,
    pub(crate) content: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Acknowledged,
    InDoubt,
}

/// A batch that was sent.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) fate: Fate,
    /// The indexes whose marker it sets.
    pub(crate) touched: Vec<u32>,
    pub(crate) sent_at: Instant,
    pub(crate) answered_at: Instant,
}

/// What one worker has sent.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    pub(crate) steps: BTreeMap<u32, Vec<Step>>,
    pub(crate) batches: Vec<Batch>,
}

/// Everything that was sent, and what became of it.
#[derive(Debug)]
pub struct History {
    load: Load,
    workers: Vec<Sent>,
}

/// What may be there of a batch after a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Claim {
    /// It was acknowledged before the cut.
    Acknowledged,
    /// It was under way.
    InDoubt,
    /// It was sent later.
    NotSent,
}

/// A power cut, from its first moment to its last: what was answered before it counts, what was sent after it does not;
/// of what happened meanwhile nobody knows.
#[derive(Clone, Copy, Debug)]
pub struct PowerCut {
    /// Before it began.
    pub from: Instant,
    /// When it was over.
    pub to: Instant,
}

impl PowerCut {
    /// One that took no time.
    #[must_use]
    pub const fn at(moment: Instant) -> Self {
        Self { from: moment, to: moment }
    }
}

/// What a power cut left, by the recovered states.
#[derive(Debug, Default)]
pub struct AfterCut {
    /// What must not be so, whatever the sync mode.
    pub wrong: Vec<String>,
    /// Batches that were acknowledged before the cut.
    pub acknowledged: usize,
    /// Of those that are not there: how long before the cut each was acknowledged.
    pub lost: Vec<Duration>,
    /// How long before the cut the last acknowledgement came; zero if there was none.
    pub silent: Duration,
}

impl AfterCut {
    /// How long before the cut the oldest batch that is lost was acknowledged.
    #[must_use]
    pub fn oldest_lost(&self) -> Option<Duration> {
        self.lost.iter().max().copied()
    }

    /// From the acknowledgement of the oldest batch that is lost to the last acknowledgement before the cut: what an
    /// interval bounds. A host that waits for a drive that stalls acknowledges nothing meanwhile, so this does not grow
    /// with the stall, while the age of what is lost does.
    #[must_use]
    pub fn span(&self) -> Option<Duration> {
        self.oldest_lost().map(|oldest| oldest - self.silent)
    }
}

impl History {
    pub(crate) const fn new(load: Load, workers: Vec<Sent>) -> Self {
        Self { load, workers }
    }

    /// Batches whose reply never came.
    #[must_use]
    pub fn batches_in_doubt(&self) -> usize {
        self.batches().filter(|batch| batch.fate == Fate::InDoubt).count()
    }

    /// Batches that were acknowledged.
    #[must_use]
    pub fn batches_acknowledged(&self) -> usize {
        self.batches().filter(|batch| batch.fate == Fate::Acknowledged).count()
    }

    fn batches(&self) -> impl Iterator<Item = &Batch> {
        self.workers.iter().flat_map(|sent| &sent.batches)
    }

    /// Names of the indexes.
    pub fn indexes(&self) -> impl Iterator<Item = (u32, String)> {
        (0..self.load.indexes).map(|index| (index, index_name(index)))
    }

    /// Compares the recovered states of all indexes with what was sent; returns what is wrong. Everything
    /// acknowledged must be there.
    #[must_use]
    pub fn check(&self, recovered: &BTreeMap<u32, State>) -> Vec<String> {
        let mut wrong = Vec::new();
        for (worker, sent) in (0u32..).zip(&self.workers) {
            let there = self.there(worker, sent, recovered, &mut wrong);
            for (batch, (sent, there)) in sent.batches.iter().zip(&there).enumerate() {
                if sent.fate == Fate::Acknowledged && !there {
                    wrong.push(format!("worker {worker}: batch {batch} was acknowledged and is not there"));
                }
            }
            self.compare(worker, sent, &there, recovered, &mut wrong);
        }
        self.never_sent(recovered, &mut wrong);
        wrong
    }

    /// As [`Self::check`], of what a power cut left, of a load whose connections held up to then: of each
    /// worker's batches a beginning is there, and nothing that was sent after the cut. The caller decides what
    /// may be lost.
    #[must_use]
    pub fn check_after_cut(&self, recovered: &BTreeMap<u32, State>, cut: PowerCut) -> AfterCut {
        let acknowledged = self.batches().filter(|batch| batch.claim(cut) == Claim::Acknowledged);
        let last = acknowledged.map(|batch| batch.answered_at).max();
        let mut after =
            AfterCut { silent: last.map_or(Duration::ZERO, |last| cut.from - last), ..AfterCut::default() };
        for (worker, sent) in (0u32..).zip(&self.workers) {
            let there = self.there(worker, sent, recovered, &mut after.wrong);
            let mut missing = None;
            for (number, (batch, &there)) in sent.batches.iter().zip(&there).enumerate() {
                let claim = batch.claim(cut);
                after.acknowledged += usize::from(claim == Claim::Acknowledged);
                match (claim, there) {
                    (Claim::Acknowledged, false) => after.lost.push(cut.from - batch.answered_at),
                    (Claim::NotSent, true) => after.wrong.push(format!(
                        "worker {worker}: batch {number} is there, but was sent after the cut"
                    )),
                    (Claim::Acknowledged | Claim::InDoubt, true)
                    | (Claim::InDoubt | Claim::NotSent, false) => {}
                }
                match missing {
                    Some(first) if there => after.wrong.push(format!(
                        "worker {worker}: batch {number} is there, but {first} before it is not"
                    )),
                    None if !there => missing = Some(number),
                    Some(_) | None => {}
                }
            }
            self.compare(worker, sent, &there, recovered, &mut after.wrong);
        }
        self.never_sent(recovered, &mut after.wrong);
        after
    }

    /// Which batches of a worker are there, by their markers: in all of their indexes, or in none.
    fn there(
        &self,
        worker: u32,
        sent: &Sent,
        recovered: &BTreeMap<u32, State>,
        wrong: &mut Vec<String>,
    ) -> Vec<bool> {
        let marker = marker(worker).into_bytes();
        let is_there = |index: u32, batch: u32| {
            recovered[&index].get(&marker).is_some_and(|document: &Document| {
                document.variables.contains_key(&i32::try_from(batch).expect("few"))
            })
        };
        let mut there = Vec::with_capacity(sent.batches.len());
        for (number, batch) in (0u32..).zip(&sent.batches) {
            let count = batch.touched.iter().filter(|&&index| is_there(index, number)).count();
            if count != 0 && count != batch.touched.len() {
                wrong.push(format!(
                    "worker {worker}: batch {number} ({:?}) is in {count} of its {} indexes",
                    batch.fate,
                    batch.touched.len()
                ));
            }
            there.push(count > 0);
        }
        there
    }

    /// Compares a worker's documents with what the batches that are there make of them.
    fn compare(
        &self,
        worker: u32,
        sent: &Sent,
        there: &[bool],
        recovered: &BTreeMap<u32, State>,
        wrong: &mut Vec<String>,
    ) {
        for (&index, steps) in &sent.steps {
            let expected = self.expected(worker, index, steps, there);
            let state = &recovered[&index];
            for document in 0..self.load.documents {
                let docid = docid(worker, document).into_bytes();
                if state.get(&docid) != expected.get(&docid) {
                    wrong.push(format!(
                        "{}/{}: recovered {:?}, expected {:?}",
                        index_name(index),
                        String::from_utf8_lossy(&docid),
                        state.get(&docid),
                        expected.get(&docid)
                    ));
                }
            }
        }
    }

    /// Nothing is there that was never sent.
    fn never_sent(&self, recovered: &BTreeMap<u32, State>, wrong: &mut Vec<String>) {
        for (index, state) in recovered {
            let owned = |docid: &[u8]| {
                let text = String::from_utf8_lossy(docid);
                let mut parts = text.split('-').skip(1).map(str::parse::<u32>);
                matches!(parts.next(), Some(Ok(worker)) if worker < self.load.workers)
                    && parts
                        .next()
                        .is_none_or(|part| part.is_ok_and(|document| document < self.load.documents))
            };
            wrong.extend(
                state
                    .keys()
                    .filter(|docid| !owned(docid))
                    .map(|docid| format!("{}: {docid:?} was never sent", index_name(*index))),
            );
        }
    }

    fn expected(&self, worker: u32, index: u32, steps: &[Step], applied: &[bool]) -> State {
        let mut state = State::new();
        for step in steps.iter().filter(|step| applied[step.batch as usize]) {
            let change = change(&self.load, worker, index, *step);
            let docid = change.docid.into_bytes();
            if change.deleted {
                state.remove(&docid);
            }
            if change.fields.is_none() && change.variables.is_none() && change.categories.is_none() {
                continue;
            }
            let document = state.entry(docid).or_default();
            if let Some(fields) = change.fields {
                document.fields = Some(
                    fields.into_iter().map(|(key, value)| (key.into_bytes(), value.into_bytes())).collect(),
                );
            }
            document.variables.extend(change.variables.into_iter().flatten().map(|(n, v)| (n, v.to_bits())));
            let categories = change.categories.into_iter().flatten();
            document.categories.extend(categories.map(|(key, value)| (key.into_bytes(), value.into_bytes())));
        }
        state
    }
}

impl Batch {
    fn claim(&self, cut: PowerCut) -> Claim {
        if self.sent_at > cut.to {
            Claim::NotSent
        } else if self.fate == Fate::Acknowledged && self.answered_at <= cut.from {
            Claim::Acknowledged
        } else {
            Claim::InDoubt
        }
    }
}
