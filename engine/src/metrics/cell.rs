//! Where a number is kept.

use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::left_out::or_left_out;

/// Memory for one number, which anyone may read.
pub trait Number: Debug + Default {
    /// The number.
    fn get(&self) -> u64;
    /// Replaces it.
    fn set(&self, value: u64);
    /// Adds to it.
    fn add(&self, value: u64);
}

/// A number that only one thread writes.
///
/// It is changed by a plain load and store; no core waits for another's cache line. A reader sees each cell at some
/// recent moment, not all at the same one.
#[derive(Debug, Default)]
pub struct Cell(AtomicU64);

impl Number for Cell {
    #[inline]
    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    #[inline]
    fn set(&self, value: u64) {
        or_left_out!(Metrics, (), return);
        self.0.store(value, Ordering::Relaxed);
    }

    #[inline]
    fn add(&self, value: u64) {
        self.set(self.get().wrapping_add(value));
    }
}

/// A number that any thread may write.
#[derive(Debug, Default)]
pub struct Shared(AtomicU64);

impl Number for Shared {
    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    fn add(&self, value: u64) {
        self.0.fetch_add(value, Ordering::Relaxed);
    }
}
