//! Whether dealing waits for an epoch that does not become complete.

use std::time::Duration;

use crate::ids::Epoch;
use crate::mutant::bug;
use crate::time::MonoNanos;

/// What a shard has yet to write of a closed epoch is written within seconds, also by a slow drive.
const PATIENCE: Duration = Duration::from_secs(5 * 60);

/// The epoch that dealing waits for, and since when.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Standing {
    waiting: Option<(Epoch, MonoNanos)>,
    stands: bool,
}

/// What there is to say about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// This epoch has been incomplete for too long.
    Stands(Epoch),
    /// It is so no more.
    Continues,
}

impl Standing {
    /// To be called after each look: with the oldest epoch that is closed and not complete, if there is one.
    pub(super) fn observe(&mut self, waiting: Option<Epoch>, now: MonoNanos) -> Option<Told> {
        let since = match (waiting, self.waiting) {
            (Some(epoch), Some((before, since))) if epoch == before => since,
            _ => now,
        };
        let before = self.stands.then_some(self.waiting).flatten();
        self.waiting = waiting.map(|epoch| (epoch, since));
        self.stands = waiting.is_some() && now.since(since) >= PATIENCE && !bug!(IncompleteUnnoticed);
        match (before, waiting) {
            (None, Some(epoch)) if self.stands => Some(Told::Stands(epoch)),
            (Some(_), _) if !self.stands => Some(Told::Continues),
            _ => None,
        }
    }

    pub(super) const fn stands(&self) -> bool {
        self.stands
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_that_stays_incomplete_is_told_once_and_its_end_too() {
        let mut standing = Standing::default();
        let mut observe = |epoch: Option<u64>, minutes: u64| {
            let now = MonoNanos(0) + Duration::from_secs(60 * minutes);
            standing.observe(epoch.map(|millis| Epoch::new(millis).unwrap()), now)
        };
        let stands = |millis| Some(Told::Stands(Epoch::new(millis).unwrap()));
        assert_eq!([observe(Some(7), 1), observe(Some(7), 5)], [None, None]);
        assert_eq!(observe(Some(8), 6), None, "another epoch");
        assert_eq!([observe(Some(8), 11), observe(Some(8), 12)], [stands(8), None]);
        assert_eq!([observe(None, 13), observe(None, 14)], [Some(Told::Continues), None]);
        assert_eq!([observe(Some(9), 15), observe(Some(9), 20)], [None, stands(9)]);
        assert_eq!(observe(Some(10), 21), Some(Told::Continues));
    }
}
