//! Which indexes want to be sorted.
//!
//! Counted in memory, so that dealing to 100,000 indexes looks into none of their folders. What the process
//! before left is counted once, by the dealer's first look around (its segments) and the cleaner's first walk (its
//! bytes).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::ids::IndexCode;
use crate::limits::SORT_BYTES_MAX;
use crate::time::MonoNanos;

/// An index whose sort failed is left alone for this long.
const AFTER_FAILURE: Duration = Duration::from_secs(10 * 60);

#[derive(Clone, Copy, Debug, Default)]
struct Unsorted {
    segments: usize,
    bytes: u64,
}

/// Which indexes want to be sorted.
#[derive(Debug)]
pub(super) struct Backlog {
    sort_segments_max: usize,
    unsorted: BTreeMap<IndexCode, Unsorted>,
    wanting: BTreeSet<IndexCode>,
    failed: BTreeMap<IndexCode, MonoNanos>,
}

impl Backlog {
    /// An index with more unsorted segments than this wants to be sorted.
    pub(super) const fn new(sort_segments_max: usize) -> Self {
        Self {
            sort_segments_max,
            unsorted: BTreeMap::new(),
            wanting: BTreeSet::new(),
            failed: BTreeMap::new(),
        }
    }

    /// The index has this many segments and bytes more that are unsorted.
    pub(super) fn add(&mut self, code: &IndexCode, segments: usize, bytes: u64) {
        let unsorted = self.unsorted.entry(code.clone()).or_default();
        unsorted.segments += segments;
        unsorted.bytes += bytes;
        if unsorted.segments > self.sort_segments_max || unsorted.bytes > SORT_BYTES_MAX {
            self.wanting.insert(code.clone());
        }
    }

    /// The index wants to be sorted, however little there is.
    pub(super) fn want(&mut self, code: &IndexCode) {
        self.wanting.insert(code.clone());
    }

    /// An index to sort now, by code from `after` on, so that each gets its turn.
    pub(super) fn next(&self, after: Option<&IndexCode>, now: MonoNanos) -> Option<IndexCode> {
        let ready = |code: &&IndexCode| self.failed.get(*code).is_none_or(|until| *until <= now);
        let behind = self.wanting.iter().filter(|code| after.is_none_or(|after| *code > after)).find(ready);
        behind.or_else(|| self.wanting.iter().find(ready)).cloned()
    }

    /// All that was unsorted is sorted, or the index is gone.
    pub(super) fn done(&mut self, code: &IndexCode) {
        self.unsorted.remove(code);
        self.wanting.remove(code);
        self.failed.remove(code);
    }

    /// The sort failed; it is tried again later.
    pub(super) fn failed(&mut self, code: &IndexCode, now: MonoNanos) {
        self.failed.insert(code.clone(), now + AFTER_FAILURE);
    }

    pub(super) fn len(&self) -> usize {
        self.wanting.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> IndexCode {
        IndexCode::new(text.as_bytes()).unwrap()
    }

    #[test]
    fn an_index_wants_sorting_beyond_thirty_segments_or_thirty_mebibytes() {
        let mut backlog = Backlog::new(30);
        let now = MonoNanos(0);
        for _ in 0..30 {
            backlog.add(&code("a"), 1, 10);
            assert_eq!(backlog.next(None, now), None);
        }
        backlog.add(&code("b"), 1, SORT_BYTES_MAX);
        assert_eq!(backlog.next(None, now), None);
        backlog.add(&code("b"), 1, 1);
        assert_eq!(backlog.next(None, now), Some(code("b")));
        backlog.add(&code("a"), 1, 10);
        assert_eq!(backlog.next(None, now), Some(code("a")));
        backlog.done(&code("a"));
        backlog.done(&code("b"));
        backlog.add(&code("a"), 1, 10);
        assert_eq!((backlog.next(None, now), backlog.len()), (None, 0));
    }

    #[test]
    fn each_gets_its_turn_and_who_failed_waits() {
        let mut backlog = Backlog::new(30);
        let now = MonoNanos(5);
        for name in ["a", "b", "c"] {
            backlog.want(&code(name));
        }
        backlog.failed(&code("b"), now);
        assert_eq!(backlog.next(Some(&code("a")), now), Some(code("c")));
        assert_eq!(backlog.next(Some(&code("c")), now), Some(code("a")));
        assert_eq!(backlog.next(Some(&code("a")), now + AFTER_FAILURE), Some(code("b")));
    }
}
