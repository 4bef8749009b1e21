//! The order of calls in which a shard is driven once something happened, whoever drives it.

use super::Shard;
use crate::io::op::Op;
use crate::time::Now;

/// What carries out the operations of a shard: a ring, or a model of one.
pub trait Kernel {
    /// Why it can't go on.
    type Error;

    /// The shard that it works for.
    fn shard(&mut self) -> &mut Shard;

    /// A fresh time.
    fn now(&mut self) -> Now;

    /// Begins an operation. What completes at once is passed to [`Shard::complete`].
    ///
    /// # Errors
    /// If it can't go on.
    fn begin(&mut self, op: Op) -> Result<(), Self::Error>;
}

/// Lets the shard take turns, the first at this time, and begins what it asks for, until nothing completes at once any more.
///
/// # Errors
/// The kernel's, if it can't go on.
pub fn drive<K: Kernel>(kernel: &mut K, mut now: Now) -> Result<(), K::Error> {
    loop {
        kernel.shard().turn(now);
        while let Some(op) = kernel.shard().outbox().ops.pop_front() {
            kernel.begin(op)?;
        }
        if !kernel.shard().completed {
            return Ok(());
        }
        now = kernel.now();
    }
}
