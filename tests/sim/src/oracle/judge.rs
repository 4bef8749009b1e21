//! Judges a life of the host when all that it may have lost is known.

use std::time::Duration;

use super::facts::{Attempt, Batch, Must, Promise};
use super::reports::Reports;

/// Longest that a reply takes from the shard to its client, which is when it counts here.
const REPLY_TIME: Duration = Duration::from_millis(1);

/// What a judge looks at.
pub(super) struct Judge<'o> {
    pub(super) promise: Promise,
    pub(super) batches: &'o [Batch],
    pub(super) reports: &'o Reports,
}

impl Judge<'_> {
    /// What became of the batches that arrived at one shard, in order.
    pub(super) fn stream(&self, arrivals: &[Attempt]) -> Result<(), String> {
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
                if let Some(position) =
                    batch.positions.iter().find(|position| self.reports.is_reported(**position))
                {
                    return Err(format!("batch {number} at {position} is there, but was reported lost"));
                }
                continue;
            }
            first_lost.get_or_insert(number);
            let Some(acknowledged) = acknowledged else { continue };
            self.report(number, batch, sending.life)?;
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
    fn report(&self, number: usize, batch: &Batch, life: usize) -> Result<(), String> {
        let &[position] = &batch.positions[..] else { return Ok(()) };
        let behind = |other: &Batch| {
            other.positions.len() == 1
                && other.positions[0].epoch() == position.epoch()
                && other.positions[0] > position
                && other.sent().all(|sending| sending.life == life)
                && other.parts.iter().all(|part| part.must == Must::BeThere)
        };
        if self.batches.iter().any(behind) && !self.reports.is_reported(position) {
            return Err(format!("acknowledged batch {number} at {position} is lost, and was not reported"));
        }
        Ok(())
    }
}
