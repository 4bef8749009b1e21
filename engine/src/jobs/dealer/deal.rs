use crate::deletions::DeletionLog;
use crate::error::Result;
use crate::format::layout::Layout;
use crate::io::disk::{Disk, Transfer};
use crate::limits::Limits;

use super::Outcome;

/// Deals epochs. Only one may exist for a data directory (dealer.lock).
#[derive(Debug)]
pub struct Dealer<D> {
    disk: D,
    layout: Layout,
    transfer: Transfer,
    bytes_max: usize,
}

impl<D: Disk> Dealer<D> {
    /// A dealer that reads raw segments by `transfer`. Does nothing yet.
    #[must_use]
    pub fn new(disk: D, layout: Layout, limits: &Limits, transfer: Transfer) -> Self {
        Self { disk, layout, transfer, bytes_max: limits.job_bytes_max }
    }

    /// Deals the oldest complete epoch: publishes what each index gets of it, moves the checkpoint past it,
    /// then moves its raw files to history, each step durable before the next. May end at any await: the
    /// next call, in this process or another, finishes or repeats it with the same result.
    ///
    /// # Errors
    /// The disk's, and an unreadable checkpoint; nothing counts as dealt then.
    pub async fn deal_next(&mut self, _deletions: &DeletionLog) -> Result<Outcome> {
        let _ = (&self.disk, &self.layout, self.transfer, self.bytes_max);
        unimplemented!("contract only")
    }
}
