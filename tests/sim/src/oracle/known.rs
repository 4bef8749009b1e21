//! What is known of each batch.

use std::collections::BTreeMap;
use std::time::Duration;

use logtank_engine::ids::{Epoch, Position};
use logtank_engine::raw_log::recover::RecoveryReport;

use super::document::Record;

/// What the host promises of what it acknowledges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// A power cut loses nothing.
    Always,
    /// A power cut loses nothing older than this.
    Interval(Duration),
}

/// Names a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BatchId(pub usize);

/// Names one sending of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attempt {
    /// The batch.
    pub batch: BatchId,
    pub(super) place: usize,
}

/// Names a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeletionId(pub(super) usize);

/// How a life of the host ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// The process was killed, or ended by itself.
    Kill,
    /// The machine lost its power.
    Power,
}

/// Whether something must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Must {
    BeThere,
    NotBeThere,
    /// Nobody knows (yet).
    Either,
}

/// A batch's records for one index.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) index: usize,
    pub(super) records: Vec<Record>,
    pub(super) must: Must,
    /// The call by which that is known.
    pub(super) since: u64,
    /// A deletion may have met it: whether it is there says nothing about losses.
    pub(super) deletion_met: bool,
}

impl Part {
    pub(super) const fn set(&mut self, must: Must, tick: u64) {
        self.must = must;
        self.since = tick;
    }
}

/// One sending.
#[derive(Debug)]
pub(super) struct Sending {
    pub(super) life: usize,
    pub(super) shard: usize,
    pub(super) begun: u64,
    /// Its place among the batches that arrived whole at its shard.
    pub(super) arrival: Option<u64>,
    pub(super) acknowledged_at: Option<u64>,
    /// The call that said so.
    pub(super) acknowledged_tick: Option<u64>,
    /// The shard said that it stores nothing of it.
    refused: bool,
}

#[derive(Debug)]
pub(super) struct Batch {
    pub(super) parts: Vec<Part>,
    sendings: Vec<Sending>,
    /// Where its first marker was seen on its way to the drive.
    pub(super) positions: Vec<Position>,
    /// It can't be lost any more by a power cut.
    pub(super) secured: bool,
}

impl Batch {
    /// Sendings that may be stored.
    pub(super) fn sent(&self) -> impl Iterator<Item = &Sending> + Clone {
        self.sendings.iter().filter(|sending| !sending.refused)
    }

    /// The sending of this place, if no other one may be stored.
    pub(super) fn sent_only_as(&self, place: usize) -> Option<&Sending> {
        let mut sent = self.sent();
        let only = sent.next().filter(|_| sent.next().is_none())?;
        std::ptr::eq(only, &self.sendings[place]).then_some(only)
    }
}

#[derive(Debug)]
pub(super) struct Deletion {
    pub(super) index: usize,
    pub(super) life: usize,
    pub(super) begun: u64,
    pub(super) ended: Option<u64>,
    /// It did not end well: it holds or not.
    pub(super) in_doubt: bool,
}

/// One life of the host, from start to crash.
#[derive(Debug, Default)]
pub(super) struct Life {
    pub(super) ended_at: Option<u64>,
    /// A write or a sync of the raw log failed: what a power cut takes may be older than the interval.
    pub(super) drive_failed: bool,
    /// A sync of the raw log failed: pages count as clean that the drive has not got, and are lost when memory gets scarce.
    /// A write that failed is no such excuse.
    pub(super) sync_failed: bool,
    /// An fdatasync of the raw log was slow: the loss is bounded by what was acknowledged meanwhile, not by the clock.
    pub(super) drive_slow: bool,
    /// Batches in the order in which they arrived whole, by shard.
    pub(super) arrivals: BTreeMap<usize, Vec<Attempt>>,
    pub(super) judged: bool,
}

/// Knows the answer. Times are nanoseconds of virtual time; every call also gets a number, by which they are in order.
#[derive(Debug)]
pub struct Oracle {
    pub(super) promise: Promise,
    pub(super) codes: Vec<String>,
    pub(super) batches: Vec<Batch>,
    pub(super) deletions: Vec<Deletion>,
    pub(super) lives: Vec<Life>,
    /// Number of the last call.
    pub(super) tick: u64,
    /// Positions that recoveries reported lost.
    pub(super) reported: BTreeMap<Epoch, Vec<(u32, u32)>>,
    pub(super) missing_epochs: Vec<Epoch>,
    /// How many positions of each epoch were handed out.
    handed_out: BTreeMap<Epoch, u32>,
}

impl Oracle {
    /// Nothing was sent yet.
    #[must_use]
    pub fn new(promise: Promise, codes: Vec<String>) -> Self {
        Self {
            promise,
            codes,
            batches: Vec::new(),
            deletions: Vec::new(),
            lives: Vec::new(),
            tick: 0,
            reported: BTreeMap::new(),
            missing_epochs: Vec::new(),
            handed_out: BTreeMap::new(),
        }
    }

    pub(super) const fn tick(&mut self) -> u64 {
        self.tick += 1;
        self.tick
    }

    /// The host starts (again).
    pub fn starts(&mut self) {
        self.lives.push(Life::default());
    }

    pub(super) fn life(&self) -> usize {
        self.lives.len() - 1
    }

    /// A client makes a batch of these records, by index. Returns it and its bytes: its records with the markers.
    pub fn batch(&mut self, parts: Vec<(usize, Vec<Record>)>) -> (BatchId, Vec<Vec<u8>>) {
        let id = BatchId(self.batches.len());
        let mut encoded = Vec::new();
        let mut all = Vec::new();
        for (index, mut records) in parts {
            records.push(Record::marker(format!("m{}", id.0)));
            for record in &records {
                let mut bytes = Vec::new();
                record.encode(&self.codes[index], &mut bytes);
                encoded.push(bytes);
            }
            all.push(Part { index, records, must: Must::NotBeThere, since: 0, deletion_met: false });
        }
        self.batches.push(Batch { parts: all, sendings: Vec::new(), positions: Vec::new(), secured: false });
        (id, encoded)
    }

    /// A batch is sent to a shard, maybe again.
    pub fn sends(&mut self, batch: BatchId, shard: usize) -> Attempt {
        let (begun, life) = (self.tick(), self.life());
        let entry = &mut self.batches[batch.0];
        for part in entry.parts.iter_mut().filter(|part| part.must == Must::NotBeThere) {
            part.set(Must::Either, begun);
        }
        entry.sendings.push(Sending {
            life,
            shard,
            begun,
            arrival: None,
            acknowledged_at: None,
            acknowledged_tick: None,
            refused: false,
        });
        Attempt { batch, place: entry.sendings.len() - 1 }
    }

    fn sending(&mut self, attempt: Attempt) -> &mut Sending {
        &mut self.batches[attempt.batch.0].sendings[attempt.place]
    }

    /// All bytes of it were taken by the shard.
    pub fn arrives(&mut self, attempt: Attempt) {
        let (life, shard) = (self.life(), self.sending(attempt).shard);
        let arrivals = self.lives[life].arrivals.entry(shard).or_default();
        arrivals.push(attempt);
        let place = arrivals.len() as u64;
        self.sending(attempt).arrival = Some(place);
    }

    /// The shard answers that it is stored.
    pub fn acknowledged(&mut self, attempt: Attempt, now: u64) {
        let (tick, life) = (self.tick(), self.life());
        let begun = {
            let sending = self.sending(attempt);
            sending.acknowledged_at = Some(now);
            sending.acknowledged_tick = Some(tick);
            sending.begun
        };
        let deletions = &self.deletions;
        for part in &mut self.batches[attempt.batch.0].parts {
            // One that was answered before the batch was sent does not cover it.
            let met = |deletion: &Deletion| {
                deletion.index == part.index
                    && deletion.life == life
                    && deletion.ended.is_none_or(|ended| ended > begun)
            };
            part.deletion_met = deletions.iter().any(met);
            part.set(if part.deletion_met { Must::Either } else { Must::BeThere }, tick);
        }
    }

    /// A shard refuses it: nothing of it is stored by this sending.
    pub fn refused(&mut self, attempt: Attempt) {
        let sending = self.sending(attempt);
        assert!(sending.acknowledged_at.is_none(), "refused and acknowledged");
        sending.refused = true;
        let batch = &mut self.batches[attempt.batch.0];
        if batch.sent().next().is_none() {
            batch.parts.iter_mut().for_each(|part| part.set(Must::NotBeThere, 0));
        }
    }

    /// Whether a sending that was not answered may still be stored by the host as it runs now.
    #[must_use]
    pub fn is_doubtful_now(&self, batch: BatchId) -> bool {
        self.batches[batch.0]
            .sent()
            .any(|sending| sending.life == self.life() && sending.acknowledged_at.is_none())
    }

    /// A frame on its way to the drive holds this batch's marker.
    pub fn placed(&mut self, batch: BatchId, position: Position) {
        if let Some(batch) = self.batches.get_mut(batch.0)
            && !batch.positions.contains(&position)
        {
            batch.positions.push(position);
        }
    }

    /// Positions before this one are handed out in its epoch.
    pub fn handed_out(&mut self, next: Position) {
        let ordinals = self.handed_out.entry(next.epoch()).or_default();
        *ordinals = next.ordinal().max(*ordinals);
    }

    /// An index is about to be deleted.
    pub fn deletes(&mut self, index: usize) -> DeletionId {
        let (begun, life) = (self.tick(), self.life());
        self.deletions.push(Deletion { index, life, begun, ended: None, in_doubt: false });
        DeletionId(self.deletions.len() - 1)
    }

    /// The deletion was answered, with success or not.
    pub fn deleted(&mut self, id: DeletionId, success: bool) {
        let now = self.tick();
        let life = self.life();
        let deletion = &mut self.deletions[id.0];
        deletion.ended = Some(now);
        deletion.in_doubt = !success;
        let (index, begun) = (deletion.index, deletion.begun);
        for batch in &mut self.batches {
            let sent_before = |sending: &Sending| {
                sending.begun < begun
                    && (sending.life < life || sending.acknowledged_tick.is_some_and(|tick| tick < begun))
            };
            let before = batch.sent().all(sent_before);
            for part in batch.parts.iter_mut().filter(|part| part.index == index) {
                if part.must != Must::NotBeThere {
                    part.set(if success && before { Must::NotBeThere } else { Must::Either }, now);
                    part.deletion_met = true;
                }
            }
        }
    }

    /// A write of the raw log failed in this life.
    pub fn write_failed(&mut self) {
        let life = self.life();
        self.lives[life].drive_failed = true;
    }

    /// An fdatasync of the raw log, or a write that is one, failed in this life.
    pub fn sync_failed(&mut self) {
        self.write_failed();
        let life = self.life();
        self.lives[life].sync_failed = true;
    }

    /// A sync by which a start puts in order what earlier lives left failed: of these, too, the cache may show what the drive has
    /// not got.
    pub fn background_sync_failed(&mut self) {
        self.lives.iter_mut().for_each(|life| life.sync_failed = true);
    }

    /// An fdatasync of the raw log took long in this life.
    pub fn drive_slow(&mut self) {
        let life = self.life();
        self.lives[life].drive_slow = true;
    }

    /// The host's life ends. `forgets` tells that clean pages were dropped, or that the host failed when it would have brought
    /// them back to the drive.
    pub fn crashed(&mut self, crash: Crash, forgets: bool, now: u64) {
        let life = self.life();
        self.lives[life].ended_at.get_or_insert(now);
        for deletion in self.deletions.iter_mut().filter(|deletion| deletion.ended.is_none()) {
            deletion.in_doubt = true;
        }
        self.doubt(crash, forgets, now);
        let tick = self.tick();
        // A deletion that nobody knows the end of: what it may cover is anybody's guess.
        let in_doubt: Vec<usize> =
            self.deletions.iter().filter(|d| d.in_doubt && d.life == life).map(|d| d.index).collect();
        for part in self.batches.iter_mut().flat_map(|batch| &mut batch.parts) {
            if in_doubt.contains(&part.index) && part.must == Must::BeThere {
                part.set(Must::Either, tick);
                part.deletion_met = true;
            }
        }
    }

    /// The host ended in good order: everything is on the drive.
    pub fn shut_down(&mut self) {
        for batch in &mut self.batches {
            batch.secured |= batch.parts.iter().all(|part| part.must == Must::BeThere);
        }
    }

    /// What such an end may lose may be there or not from now on.
    fn doubt(&mut self, crash: Crash, forgets: bool, now: u64) {
        let (tick, promise) = (self.tick(), self.promise);
        let lives = &self.lives;
        for batch in self.batches.iter_mut().filter(|batch| !batch.secured) {
            let lossable = |sending: &Sending| match (promise, sending.acknowledged_at) {
                (_, None) => true,
                (Promise::Always, Some(_)) => false,
                (Promise::Interval(interval), Some(at)) => {
                    let Life { ended_at, drive_failed, sync_failed, drive_slow, .. } = lives[sending.life];
                    let age = Duration::from_nanos(ended_at.unwrap_or(now) - at);
                    let young = age < interval || drive_slow || drive_failed;
                    young && (crash == Crash::Power || sync_failed && forgets)
                }
            };
            if !batch.sent().all(lossable) {
                continue;
            }
            for part in batch.parts.iter_mut().filter(|part| part.must == Must::BeThere) {
                part.set(Must::Either, tick);
            }
        }
    }

    /// A start failed to bring back to the drive what only the page cache had.
    pub fn forgets(&mut self, now: u64) {
        self.doubt(Crash::Kill, true, now);
    }

    /// Recovery is done: whatever of earlier lives is there now is durable.
    ///
    /// # Errors
    /// If it takes back what an earlier one said.
    pub fn recovered(&mut self, report: &RecoveryReport, flipped: bool) -> Result<(), String> {
        for batch in &mut self.batches {
            batch.secured |= batch.parts.iter().all(|part| part.must == Must::BeThere);
        }
        for lost in &report.lost {
            let handed_out = self.handed_out.get(&lost.epoch).copied().unwrap_or(0);
            if lost.gaps.iter().any(|(_, end)| *end > handed_out) {
                return Err(format!("{lost:?} is reported lost, but only {handed_out} were handed out"));
            }
            self.reported.entry(lost.epoch).or_default().extend(&lost.gaps);
        }
        self.missing_epochs.extend(&report.missing_epochs);
        // A seal that a power cut tore is told, too.
        match report.damaged.iter().find(|damage| !damage.what.starts_with("seal:")) {
            // What a failed sync left on the drive is the drive's doing.
            Some(damage) if !flipped && !self.lives.iter().any(|life| life.drive_failed) => {
                Err(format!("recovery found damage that nobody did: {damage}"))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn is_reported(&self, position: Position) -> bool {
        let ordinal = position.ordinal();
        let gaps = self.reported.get(&position.epoch());
        gaps.is_some_and(|gaps| gaps.iter().any(|(first, end)| (*first..*end).contains(&ordinal)))
    }
}
