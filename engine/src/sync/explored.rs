//! The same under a schedule: where it is made within one, each access is a place at which another shard may continue, as
//! the seed decides. Elsewhere it is the standard library's.
//!
//! All accesses are seen in one order, whatever ordering they ask for. That hides nothing here: shards share single
//! atomics, each of which has one order of its own, and locks.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{self, Ordering};
use std::sync::{LockResult, MutexGuard, PoisonError};

use shuttle::sync as scheduled;

/// An atomic number.
#[derive(Debug)]
pub(crate) enum AtomicU64 {
    Plain(atomic::AtomicU64),
    Scheduled(scheduled::atomic::AtomicU64),
}

/// Does the same with either.
macro_rules! either {
    ($either:expr, $inner:ident => $access:expr) => {
        match $either {
            Self::Plain($inner) => $access,
            Self::Scheduled($inner) => $access,
        }
    };
}

fn is_scheduled() -> bool {
    shuttle::current::try_get_current_task().is_some()
}

impl AtomicU64 {
    pub(crate) fn new(value: u64) -> Self {
        if is_scheduled() {
            Self::Scheduled(scheduled::atomic::AtomicU64::new(value))
        } else {
            Self::Plain(atomic::AtomicU64::new(value))
        }
    }

    pub(crate) fn load(&self, order: Ordering) -> u64 {
        either!(self, inner => inner.load(order))
    }

    pub(crate) fn store(&self, value: u64, order: Ordering) {
        either!(self, inner => inner.store(value, order));
    }

    pub(crate) fn swap(&self, value: u64, order: Ordering) -> u64 {
        either!(self, inner => inner.swap(value, order))
    }

    pub(crate) fn fetch_add(&self, value: u64, order: Ordering) -> u64 {
        either!(self, inner => inner.fetch_add(value, order))
    }

    pub(crate) fn compare_exchange(
        &self,
        current: u64,
        new: u64,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u64, u64> {
        either!(self, inner => inner.compare_exchange(current, new, success, failure))
    }
}

/// A lock.
#[derive(Debug)]
pub(crate) enum Mutex<T> {
    Plain(std::sync::Mutex<T>),
    Scheduled(scheduled::Mutex<T>),
}

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        if is_scheduled() {
            Self::Scheduled(scheduled::Mutex::new(value))
        } else {
            Self::Plain(std::sync::Mutex::new(value))
        }
    }

    pub(crate) fn lock(&self) -> LockResult<Locked<'_, T>> {
        match self {
            Self::Plain(inner) => held(inner.lock(), Locked::Plain),
            Self::Scheduled(inner) => held(inner.lock(), Locked::Scheduled),
        }
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

fn held<G, L>(result: LockResult<G>, locked: impl Fn(G) -> L) -> LockResult<L> {
    result.map(&locked).map_err(|poisoned| PoisonError::new(locked(poisoned.into_inner())))
}

/// What is locked, until this is dropped.
#[derive(Debug)]
pub(crate) enum Locked<'m, T> {
    Plain(MutexGuard<'m, T>),
    Scheduled(scheduled::MutexGuard<'m, T>),
}

impl<T> Deref for Locked<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        either!(self, inner => inner)
    }
}

impl<T> DerefMut for Locked<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        either!(self, inner => inner)
    }
}
