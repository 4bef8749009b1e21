//! Judges a life of the host when all that it may have lost is known.

use std::time::Duration;

use super::known::{Attempt, Batch, Must, Oracle, Promise};

/// Longest that a reply takes from the shard to its client, which is when it counts here.
const REPLY_TIME: Duration = Duration::from_millis(1);

impl Oracle {
    /// Judges each life that ended, once nothing of it is unknown any more.
    ///
    /// # Errors
    /// A broken promise.
    pub(super) fn judge_lives(&mut self) -> Result<(), String> {
        for life in 0..self.life() {
            let open = |batch: &Batch| {
                batch.sent().any(|sending| sending.life == life)
                    && batch.parts.iter().any(|part| part.must == Must::Either)
            };
            if self.lives[life].judged || self.batches.iter().any(open) {
                continue;
            }
            self.lives[life].judged = true;
            for arrivals in self.lives[life].arrivals.values() {
                self.judge_stream(arrivals).map_err(|what| format!("life {life}: {what}"))?;
            }
        }
        Ok(())
    }

    /// Everything must be known in the end.
    ///
    /// # Errors
    /// What is not.
    pub fn all_known(&self) -> Result<(), String> {
        let open = |batch: &Batch| batch.parts.iter().any(|part| part.must == Must::Either);
        if let Some(number) = self.batches.iter().position(open) {
            return Err(format!("nobody knows whether batch {number} is there: {:?}", self.batches[number]));
        }
        let judged = self.lives.iter().rev().skip(1).all(|life| life.judged);
        if judged { Ok(()) } else { Err("a life was not judged".to_owned()) }
    }

    /// What became of the batches that arrived at one shard, in order.
    fn judge_stream(&self, arrivals: &[Attempt]) -> Result<(), String> {
        let mut first_lost: Option<usize> = None;
        let mut oldest_lost_acknowledged: Option<u64> = None;
        for attempt in arrivals {
            let (number, batch) = (attempt.batch.0, &self.batches[attempt.batch.0]);
            // Of one that was sent twice nobody knows which sending is there; one that was refused is not.
            let Some(sending) = batch.sent_only_as(attempt.place) else { continue };
            if batch.parts.iter().any(|part| part.deletion_met) {
                continue;
            }
            let there = batch.parts[0].must == Must::BeThere;
            if batch.parts.iter().any(|part| (part.must == Must::BeThere) != there) {
                return Err(format!("batch {number} is there in part: {:?}", batch.parts));
            }
            let acknowledged = sending.acknowledged_at;
            if there {
                if let Some(lost) = first_lost {
                    return Err(format!(
                        "batch {number} is there, but {lost}, before it on its shard, is lost"
                    ));
                }
                if let Some(position) = batch.positions.iter().find(|position| self.is_reported(**position)) {
                    return Err(format!("batch {number} at {position} is there, but was reported lost"));
                }
                continue;
            }
            first_lost.get_or_insert(number);
            let Some(acknowledged) = acknowledged else { continue };
            self.judge_report(number, batch, sending.life)?;
            let oldest = *oldest_lost_acknowledged.get_or_insert(acknowledged);
            if let Promise::Interval(interval) = self.promise
                && Duration::from_nanos(acknowledged.saturating_sub(oldest)) >= interval + REPLY_TIME
            {
                return Err(format!(
                    "batch {number} was acknowledged at {acknowledged} while one of {oldest} was not synced, \
                     which is longer than {interval:?}; both are lost"
                ));
            }
        }
        Ok(())
    }

    /// What was lost must have been reported, if anything behind it in its epoch is left to prove it: of the same life, since
    /// an epoch of which a power cut left nothing may be opened once more.
    fn judge_report(&self, number: usize, batch: &Batch, life: usize) -> Result<(), String> {
        let &[position] = &batch.positions[..] else { return Ok(()) };
        let behind = |other: &Batch| {
            other.positions.len() == 1
                && other.positions[0].epoch() == position.epoch()
                && other.positions[0] > position
                && other.sent().all(|sending| sending.life == life)
                && other.parts.iter().all(|part| part.must == Must::BeThere)
        };
        if self.batches.iter().any(behind) && !self.is_reported(position) {
            return Err(format!("acknowledged batch {number} at {position} is lost, and was not reported"));
        }
        Ok(())
    }
}
