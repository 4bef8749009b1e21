//! What shards share, from the standard library. In this crate's own tests a schedule may decide, before each access, which
//! of them continues: see `explored`.

#[cfg(test)]
mod explored;
#[cfg(test)]
pub(crate) mod schedule;

#[cfg(test)]
pub(crate) use explored::{AtomicU64, Locked, Mutex};
#[cfg(not(test))]
pub(crate) use std::sync::{Mutex, MutexGuard as Locked, atomic::AtomicU64};
