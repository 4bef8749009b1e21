//! What speaks against taking batches. They are taken when nothing does.

use std::collections::BTreeMap;

/// What may speak against taking batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// The raw log's folders are not those that the host began with.
    Moved,
    /// The raw log's filesystem is mounted read-only.
    ReadOnly,
    /// It has too little room.
    Room,
    /// No segment can be made to append to.
    Segments,
}

/// What speaks against taking batches, each cause with what is known of it.
#[derive(Clone, Debug)]
pub struct Against<T>(BTreeMap<Cause, T>);

impl<T> Default for Against<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T> Against<T> {
    /// Whether batches are taken.
    #[must_use]
    pub fn takes_batches(&self) -> bool {
        self.0.is_empty()
    }

    /// What is known of a cause that speaks against it.
    #[must_use]
    pub fn get(&self, cause: Cause) -> Option<&T> {
        self.0.get(&cause)
    }

    /// What is known of each.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.0.values()
    }

    /// A cause speaks against it, or does so no more. Whether batches are taken from now on, if that has changed.
    pub fn set(&mut self, cause: Cause, why: Option<T>) -> Option<bool> {
        let before = self.takes_batches();
        match why {
            Some(why) => _ = self.0.insert(cause, why),
            None => _ = self.0.remove(&cause),
        }
        let after = self.takes_batches();
        (before != after).then_some(after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_taken_when_the_last_cause_is_gone() {
        let mut against = Against::default();
        assert!(against.takes_batches());
        assert_eq!(against.set(Cause::Room, Some("full")), Some(false));
        assert_eq!(against.set(Cause::Segments, Some("none")), None);
        assert_eq!(against.set(Cause::Room, None), None);
        assert!(!against.takes_batches() && against.get(Cause::Segments) == Some(&"none"));
        assert_eq!(against.set(Cause::Segments, None), Some(true));
        assert_eq!(against.set(Cause::ReadOnly, None), None);
    }
}
