//! Since when something has not changed.
//!
//! Measured by the clock that never steps, from when it was first seen so: a wall clock that jumps makes
//! nothing look older than it is. A restart begins anew.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::time::MonoNanos;

/// Remembers since when each of some things has been as it is.
#[derive(Debug)]
pub(super) struct Idle<K, V> {
    seen: BTreeMap<K, (V, MonoNanos)>,
}

impl<K: Ord, V: PartialEq> Idle<K, V> {
    pub(super) const fn new() -> Self {
        Self { seen: BTreeMap::new() }
    }

    /// How long `thing` has been seen as `state`; starts counting when it is another than last time.
    pub(super) fn observe(&mut self, thing: K, state: V, now: MonoNanos) -> Duration {
        match self.seen.get(&thing) {
            Some((known, since)) if *known == state => now.since(*since),
            _ => {
                self.seen.insert(thing, (state, now));
                Duration::ZERO
            }
        }
    }

    /// Forgets things for which `keep` is false.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&K) -> bool) {
        self.seen.retain(|thing, _| keep(thing));
    }

    pub(super) fn forget(&mut self, thing: &K) {
        self.seen.remove(thing);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_from_the_last_change() {
        let at = |seconds: u64| MonoNanos(seconds * 1_000_000_000);
        let mut idle = Idle::new();
        assert_eq!(idle.observe("x", 1, at(5)), Duration::ZERO);
        assert_eq!(idle.observe("x", 1, at(9)), Duration::from_secs(4));
        assert_eq!(idle.observe("x", 2, at(10)), Duration::ZERO);
        assert_eq!(idle.observe("x", 2, at(11)), Duration::from_secs(1));
        idle.forget(&"x");
        assert_eq!(idle.observe("x", 2, at(12)), Duration::ZERO);
    }
}
