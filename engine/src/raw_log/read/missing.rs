//! Stretches of the raw log of which no file is there, as the files around them show.
//!
//! Each segment names what came before it: its header the frame that its shard wrote last, its seal the epoch that was
//! closed last. Where that epoch is not there, its files were not copied, or were removed, or a power cut took them; how many
//! epochs are missing with it, nobody can tell.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Bound;

use crate::format::names::time_of;
use crate::ids::Epoch;

/// A stretch of the raw log of which no file is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The last epoch before it of which there is a segment.
    pub after: Option<Epoch>,
    /// The last epoch in it.
    pub epoch: Epoch,
    /// The first epoch behind it of which there is a segment.
    pub before: Option<Epoch>,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = |epoch: Epoch| format!("epoch {epoch} ({})", time_of(epoch));
        match (self.after, self.before) {
            (Some(after), Some(before)) => {
                write!(f, "nothing is there between {} and {}", named(after), named(before))?;
            }
            (Some(after), None) => write!(f, "nothing is there behind {}", named(after))?,
            (None, Some(before)) => write!(f, "nothing is there before {}", named(before))?,
            (None, None) => f.write_str("nothing is there")?,
        }
        write!(f, "; {} is missing, and maybe others", named(self.epoch))
    }
}

/// The stretches that the epochs in `named` are missing in, where those in `there` are not.
pub(in crate::raw_log) fn stretches(there: &BTreeSet<Epoch>, named: &BTreeSet<Epoch>) -> Vec<Missing> {
    let mut stretches: Vec<Missing> = Vec::new();
    for &epoch in named.difference(there) {
        let after = there.range(..epoch).next_back().copied();
        let before = there.range((Bound::Excluded(epoch), Bound::Unbounded)).next().copied();
        match stretches.last_mut() {
            Some(last) if last.after == after && last.before == before => last.epoch = epoch,
            _ => stretches.push(Missing { after, epoch, before }),
        }
    }
    stretches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs(millis: &[u64]) -> BTreeSet<Epoch> {
        millis.iter().map(|&millis| Epoch::new(millis).unwrap()).collect()
    }

    #[test]
    fn what_lies_between_two_epochs_is_one_stretch() {
        let found = stretches(&epochs(&[5, 9, 20]), &epochs(&[2, 5, 6, 8, 9, 12, 30]));
        let texts: Vec<_> =
            found.iter().map(|missing| (missing.after, missing.epoch, missing.before)).collect();
        let at = |millis| Epoch::new(millis).unwrap();
        let expected = [
            (None, at(2), Some(at(5))),
            (Some(at(5)), at(8), Some(at(9))),
            (Some(at(9)), at(12), Some(at(20))),
            (Some(at(20)), at(30), None),
        ];
        assert_eq!(texts, expected);
        assert_eq!(
            found[1].to_string(),
            "nothing is there between epoch 5 (1970-01-01 00:00:00.005 UTC) and epoch 9 (1970-01-01 00:00:00.009 UTC); \
             epoch 8 (1970-01-01 00:00:00.008 UTC) is missing, and maybe others"
        );
    }
}
