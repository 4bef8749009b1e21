//! All that happens, as one number; and as text, if somebody wants to see it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

/// The record of a run. Two runs of one seed have the same hash, or something is not deterministic.
#[derive(Clone, Debug, Default)]
pub struct Trace(Rc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    hash: Cell<u64>,
    shown: bool,
    now: Cell<u64>,
    counts: RefCell<BTreeMap<&'static str, u64>>,
}

impl Trace {
    /// An empty record; `shown` prints each event on stderr.
    #[must_use]
    pub fn new(shown: bool) -> Self {
        Self(Rc::new(Inner { shown, ..Inner::default() }))
    }

    /// The virtual time of what follows, in nanoseconds.
    pub fn at(&self, now: u64) {
        self.0.now.set(now);
        self.mix(now);
    }

    /// Something happens.
    pub fn note(&self, what: &'static str, about: &str, number: u64) {
        for chunk in what.as_bytes().chunks(8).chain(about.as_bytes().chunks(8)) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.mix(u64::from_le_bytes(word));
        }
        self.mix(number);
        if self.0.shown {
            let micros = self.0.now.get() / 1_000;
            eprintln!("{:>6}.{:06} {what} {about} {number}", micros / 1_000_000, micros % 1_000_000);
        }
    }

    /// Something happens that coverage counts by its kind.
    pub fn count(&self, what: &'static str) {
        *self.0.counts.borrow_mut().entry(what).or_default() += 1;
    }

    /// What [`Self::count`] counted.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.0.counts.borrow().clone()
    }

    /// All that happened so far, as one number.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.0.hash.get()
    }

    fn mix(&self, word: u64) {
        let hash = (self.0.hash.get().rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
        self.0.hash.set(hash);
    }
}
