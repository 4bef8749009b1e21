//! What every part of the driver works with: the ring, the shard, and the time of this turn.

use logtank_engine::io::Completion;
use logtank_engine::shard::Shard;
use logtank_engine::time::Now;

use super::kernel::Kernel;
use crate::clock;

pub(super) struct Core<'r> {
    pub(super) kernel: Kernel<'r>,
    pub(super) shard: Shard,
    now: Now,
}

impl<'r> Core<'r> {
    pub(super) fn new(kernel: Kernel<'r>, shard: Shard) -> Self {
        Self { kernel, shard, now: clock::now() }
    }

    /// The time as it was last looked at.
    pub(super) const fn now(&self) -> Now {
        self.now
    }

    /// Looks at the clock.
    pub(super) fn tick(&mut self) {
        self.now = clock::now();
    }

    /// Reports to the shard what came of an operation.
    pub(super) fn complete(&mut self, completion: Completion) {
        self.shard.complete(completion, self.now);
    }
}
