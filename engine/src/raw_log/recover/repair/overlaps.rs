//! Positions that frames of two shards have both: only one of the records can be right.
//!
//! A frame has more records than its shard took positions for, or was written where another one belongs. Where each begins
//! was taken for it, so the one that begins first has gone too far: it gives way.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::ids::{Position, ShardId};
use crate::raw_log::read::gaps::Spans;

/// A whole frame of a shard: its positions.
pub(super) type Claim = (ShardId, Range<Position>);

/// Which positions of which frames belong to others.
#[derive(Debug, Default)]
pub(super) struct Overlaps(BTreeMap<(ShardId, Position, Position), Spans>);

impl Overlaps {
    /// Looks through all frames of an epoch.
    pub(super) fn find(mut claims: Vec<Claim>) -> Self {
        // Of two that begin together the longer one gives way.
        claims.sort_by(|(shard, a), (other, b)| (a.start, b.end, shard).cmp(&(b.start, a.end, other)));
        let mut found = Self::default();
        let mut open: Vec<Claim> = Vec::new();
        for (shard, range) in claims {
            open.retain(|(_, before)| before.end > range.start);
            for (other, before) in &open {
                // What one shard has twice was written again; what two have alike is taken for the same, as dealing does.
                if *other != shard && *before != range {
                    let yielded = found.0.entry((*other, before.start, before.end)).or_default();
                    yielded.add(range.start, range.end.min(before.end));
                }
            }
            open.push((shard, range));
        }
        found
    }

    /// Which of this frame's positions belong to another one.
    pub(super) fn of(&self, (shard, range): &Claim) -> Option<&Spans> {
        self.0.get(&(*shard, range.start, range.end))
    }

    pub(super) fn concern(&self, shard: ShardId) -> bool {
        self.0.keys().any(|(its, ..)| *its == shard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raw_log::test_support::position;

    #[test]
    fn who_begins_first_gives_way_and_copies_don_t() {
        let claim = |shard, first, end| (ShardId(shard), position(8, first)..position(8, end));
        let all = [claim(0, 0, 9), claim(1, 2, 4), claim(2, 6, 12), claim(0, 12, 14), claim(0, 12, 14)];
        let found = Overlaps::find(all.to_vec());
        assert_eq!(found.of(&all[0]).unwrap().clone().normalized(), [(2, 4), (6, 9)]);
        assert!(all[1..].iter().all(|claim| found.of(claim).is_none()));
        assert!(found.concern(ShardId(0)) && !found.concern(ShardId(2)));
        let together = [claim(0, 0, 3), claim(1, 0, 5), claim(3, 7, 8), claim(4, 7, 8)];
        let found = Overlaps::find(together.to_vec());
        assert_eq!(found.of(&together[1]).unwrap().clone().normalized(), [(0, 3)]);
        assert!(found.of(&together[0]).is_none() && found.of(&together[2]).is_none());
    }
}
