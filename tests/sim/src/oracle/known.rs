//! What is known of each batch.

use std::time::Duration;

use logtank_engine::ids::Position;
use logtank_engine::raw_log::RecoveryReport;

use super::document::Record;
use super::facts::{
    Attempt, Batch, BatchId, Crash, Deletion, DeletionId, Life, Must, Part, Promise, Sending,
};
use super::judge::Judge;
use super::read::{Begun, Read};
use super::reports::Reports;
use super::restored::Restored;

/// Knows the answer. Times are nanoseconds of virtual time; every call also gets a number, by which they are in order.
#[derive(Debug)]
pub struct Oracle {
    promise: Promise,
    codes: Vec<String>,
    batches: Vec<Batch>,
    deletions: Vec<Deletion>,
    lives: Vec<Life>,
    /// Number of the last call.
    tick: u64,
    reports: Reports,
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
            reports: Reports::default(),
        }
    }

    const fn tick(&mut self) -> u64 {
        self.tick += 1;
        self.tick
    }

    /// The host starts (again).
    pub fn starts(&mut self) {
        self.lives.push(Life::default());
    }

    fn life(&self) -> usize {
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
        self.reports.handed_out(next);
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
        self.reports.add(report)?;
        // A seal that a power cut tore is told, too.
        match report.damaged.iter().find(|damage| !damage.what.starts_with("seal:")) {
            // What a failed sync left on the drive is the drive's doing.
            Some(damage) if !flipped && !self.lives.iter().any(|life| life.drive_failed) => {
                Err(format!("recovery found damage that nobody did: {damage}"))
            }
            _ => Ok(()),
        }
    }

    /// Judges each life that ended, once nothing of it is unknown any more.
    ///
    /// # Errors
    /// A broken promise.
    fn judge_lives(&mut self) -> Result<(), String> {
        for life in 0..self.life() {
            let open = |batch: &Batch| {
                batch.sent().any(|sending| sending.life == life)
                    && batch.parts.iter().any(|part| part.must == Must::Either)
            };
            if self.lives[life].judged || self.batches.iter().any(open) {
                continue;
            }
            self.lives[life].judged = true;
            let Self { promise, batches, reports, .. } = &*self;
            let judge = Judge { promise: *promise, batches, reports };
            for arrivals in self.lives[life].arrivals.values() {
                judge.stream(arrivals).map_err(|what| format!("life {life}: {what}"))?;
            }
        }
        Ok(())
    }

    /// Everything must be known in the end.
    ///
    /// # Errors
    /// What is not, or a broken promise.
    pub fn all_known(&mut self) -> Result<(), String> {
        let open = |batch: &Batch| batch.parts.iter().any(|part| part.must == Must::Either);
        if let Some(number) = self.batches.iter().position(open) {
            return Err(format!("nobody knows whether batch {number} is there: {:?}", self.batches[number]));
        }
        // The last that was unknown may have become known without a read: it was refused, or its index deleted.
        self.judge_lives()?;
        let judged = self.lives.iter().rev().skip(1).all(|life| life.judged);
        if judged { Ok(()) } else { Err("a life was not judged".to_owned()) }
    }

    /// Everything that stands in the segments that were copied must be there, and nothing that was lost or deleted. To be asked when
    /// all is known.
    ///
    /// # Errors
    /// What is wrong.
    pub fn restored(&self, index: usize, restored: &Restored<'_>) -> Result<(), String> {
        restored.check(index, &self.codes[index], &self.batches)
    }

    /// A recovery read of an index begins, maybe before the first start; or a copy is taken.
    pub fn read_begins(&mut self) -> Begun {
        Begun { tick: self.tick(), life: self.lives.len().saturating_sub(1) }
    }

    /// A recovery read ended. Learns from it what was not known before.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read_ends(&mut self, index: usize, begun: Begun, records: &[Vec<u8>]) -> Result<(), String> {
        let tick = self.tick();
        let mut learn = || {
            let read = Read::new(index, begun, records)?;
            read.check_documents(&self.batches)?;
            read.settle(&mut self.batches, &self.deletions, tick)
        };
        learn().map_err(|what| format!("a recovery read of {}: {what}", self.codes[index]))?;
        self.judge_lives()
    }
}
