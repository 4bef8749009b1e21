//! An epoch's records by target, in bounded memory.
//!
//! One pass over the epoch collects a stretch of targets. When what is collected exceeds the bound, the
//! greatest target is given up and left to a later pass. What is too long although it is alone is handed out
//! in pieces as it comes ([`Split::spill`]), and the pass goes on with it alone. So an epoch that fits takes one
//! pass, and any other about as many as it is longer than memory.

use super::fate::REJECTED;
use std::collections::BTreeMap;

/// Where a record goes: the bytes of an index code, or [`REJECTED`].
pub(super) type Target = Box<[u8]>;

/// About what a target costs in memory beside its records: its key, its place in the tree, allocator slack.
const TARGET_BYTES: usize = 160;
/// Room that a target gets with its first record.
const FIRST_BYTES: usize = 256;

/// The records of one target, one behind the other.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) bytes: Vec<u8>,
    pub(super) records: u64,
}

impl Part {
    fn cost(&self) -> usize {
        TARGET_BYTES + self.bytes.capacity()
    }
}

/// The targets of one pass: from `begin` on, up to but without `end`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    begin: Target,
    end: Option<Target>,
}

impl Stretch {
    /// All targets.
    pub(super) fn all() -> Self {
        Self { begin: REJECTED.into(), end: None }
    }

    fn contains(&self, target: &[u8]) -> bool {
        *self.begin <= *target && self.end.as_deref().is_none_or(|end| target < end)
    }
}

/// What one pass collects.
#[derive(Debug)]
pub(super) struct Split {
    stretch: Stretch,
    parts: BTreeMap<Target, Part>,
    cost: usize,
    bytes_max: usize,
    /// The least target that was given up: it and all greater ones are left to a later pass.
    given_up: Option<Target>,
    /// The target that is handed out in pieces: all others are left to later passes.
    alone: Option<Target>,
    missed_before: bool,
    missed_behind: bool,
}

impl Split {
    /// A pass over these targets that holds about `bytes_max` bytes.
    pub(super) fn new(stretch: Stretch, bytes_max: usize) -> Self {
        Self {
            stretch,
            parts: BTreeMap::new(),
            cost: 0,
            bytes_max,
            given_up: None,
            alone: None,
            missed_before: false,
            missed_behind: false,
        }
    }

    /// Whether this pass collects the records of `target`. To be asked for every record of the epoch, in
    /// order: what is refused here makes a later pass necessary, unless an earlier one had it.
    pub(super) fn takes(&mut self, target: &[u8]) -> bool {
        if !self.stretch.contains(target) {
            return false;
        }
        if let Some(alone) = &self.alone {
            self.missed_before |= *target < **alone;
            self.missed_behind |= *target > **alone;
            return *target == **alone;
        }
        self.given_up.as_deref().is_none_or(|given_up| target < given_up)
    }

    /// Adds a record of a target that this pass takes; `encode` appends its bytes.
    pub(super) fn add(&mut self, target: &[u8], encode: impl FnOnce(&mut Vec<u8>)) {
        // Looked for first: nearly every record finds its target there, and a key of its own would be an allocation.
        let part = match self.parts.get_mut(target) {
            Some(part) => part,
            None => {
                let part = Part { bytes: Vec::with_capacity(FIRST_BYTES), records: 0 };
                self.cost += part.cost();
                self.parts.entry(target.into()).or_insert(part)
            }
        };
        let cost = part.cost();
        encode(&mut part.bytes);
        part.records += 1;
        self.cost = self.cost - cost + part.cost();
        while self.cost > self.bytes_max && self.parts.len() > 1 {
            let (target, part) = self.parts.pop_last().expect("there are two");
            self.cost -= part.cost();
            self.given_up = Some(target);
        }
    }

    /// If memory is exceeded although only one target is left: that target and its records since the last
    /// such piece.
    pub(super) fn spill(&mut self) -> Option<(Target, Part)> {
        if self.cost <= self.bytes_max {
            return None;
        }
        assert_eq!(self.parts.len(), 1, "others are given up first");
        let (target, part) = self.parts.pop_first()?;
        self.cost = 0;
        self.alone = Some(target.clone());
        Some((target, part))
    }

    /// The end of the pass: what it collected (of the target that was handed out in pieces, the last piece),
    /// and the passes that must follow.
    pub(super) fn finish(self) -> (BTreeMap<Target, Part>, Vec<Stretch>) {
        let mut following = Vec::new();
        if let Some(alone) = self.alone {
            // The least target greater than another is that with a zero byte behind.
            let behind: Target = alone.iter().copied().chain([0]).collect();
            if self.missed_before {
                following.push(Stretch { begin: self.stretch.begin, end: Some(alone) });
            }
            if self.missed_behind || self.given_up.is_some() {
                following.push(Stretch { begin: behind, end: self.stretch.end });
            }
        } else if let Some(begin) = self.given_up {
            following.push(Stretch { begin, end: self.stretch.end });
        }
        (self.parts, following)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Records = Vec<(Vec<u8>, Vec<u8>)>;

    /// Splits in as many passes as it takes; returns each target's bytes, the number of passes, and the most
    /// that was held.
    fn split(records: &Records, bytes_max: usize) -> (BTreeMap<Vec<u8>, Vec<u8>>, usize, usize) {
        let mut found: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
        let (mut passes, mut held) = (0, 0);
        let mut open = vec![Stretch::all()];
        while let Some(stretch) = open.pop() {
            passes += 1;
            assert!(passes <= records.len() + 1, "it ends");
            let mut split = Split::new(stretch, bytes_max);
            let mut spilled: Vec<u8> = Vec::new();
            let mut alone = None;
            for (target, bytes) in records {
                if split.takes(target) {
                    split.add(target, |out| out.extend(bytes));
                    held = held.max(split.cost);
                    if let Some((target, part)) = split.spill() {
                        assert!(alone.is_none_or(|alone| alone == target), "only one goes out in pieces");
                        alone = Some(target);
                        spilled.extend(part.bytes);
                    }
                }
            }
            let (parts, following) = split.finish();
            open.extend(following);
            if let Some(alone) = alone {
                assert!(parts.keys().all(|target| *target == alone), "nothing else in such a pass");
                if parts.is_empty() {
                    assert!(found.insert(alone.into(), spilled.clone()).is_none());
                }
            }
            for (target, part) in parts {
                let bytes = [spilled.clone(), part.bytes].concat();
                assert!(found.insert(target.into(), bytes).is_none(), "each target in one pass");
            }
        }
        (found, passes, held)
    }

    fn model(records: &Records) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let mut all: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
        for (target, bytes) in records {
            all.entry(target.clone()).or_default().extend(bytes);
        }
        all
    }

    #[test]
    fn what_fits_takes_one_pass() {
        let records: Records = (0..1_000u32).map(|i| (vec![(i % 7) as u8], i.to_le_bytes().into())).collect();
        let (found, passes, _) = split(&records, 1 << 20);
        assert_eq!(passes, 1);
        assert_eq!(found, model(&records));
    }

    #[test]
    fn memory_is_bounded_and_passes_are_few() {
        let records: Records =
            (0..10_000u32).map(|i| ((i % 500).to_be_bytes().into(), vec![1; 100])).collect();
        let (found, passes, held) = split(&records, 200_000);
        assert_eq!(found, model(&records));
        assert!(held < 210_000, "{held}");
        // A megabyte of records, in vectors of up to twice their length.
        assert!((5..=14).contains(&passes), "{passes}");
    }

    #[test]
    fn one_target_longer_than_memory_goes_out_in_pieces() {
        let mut records: Records = (0..1_000).map(|i| (vec![5], vec![i as u8; 100])).collect();
        records.extend([(vec![4], vec![1]), (vec![6], vec![2]), (vec![5], vec![3])]);
        records.insert(7, (vec![9], vec![4]));
        let (found, passes, held) = split(&records, 10_000);
        assert_eq!(found, model(&records));
        assert_eq!(passes, 3, "the long one, what is before it, what is behind it");
        assert!(held < 30_000, "{held}");
    }

    proptest! {
        #[test]
        fn every_record_arrives_once_in_order_whatever_the_memory(
            records in prop::collection::vec((prop::collection::vec(0u8..3, 0..3), prop::collection::vec(any::<u8>(), 1..900)), 0..60),
            bytes_max in 1usize..8_000,
        ) {
            let (found, _, _) = split(&records, bytes_max);
            prop_assert_eq!(found, model(&records));
        }
    }
}
