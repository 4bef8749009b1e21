//! Which thread runs on which processor, and how it ranks.

use logtank_engine::left_out::Part;
use logtank_os::affinity;
use logtank_os::priority::{IoPriority, set_io_priority, set_nice};

/// Who gets which processor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Placement {
    /// One for each shard.
    shards: Vec<usize>,
    /// Those of all other threads.
    others: Vec<usize>,
}

impl Placement {
    /// For this many shards, or for as many as leave one processor to the other threads.
    ///
    /// # Errors
    /// If the system does not tell which processors there are.
    pub(super) fn choose(shards: Option<u16>) -> std::io::Result<Self> {
        let cpus = affinity::allowed_cpus()?;
        let usable = affinity::usable_cpus()?.get().min(cpus.len()).max(1);
        let placement = Self::of(&cpus, usable, shards);
        if placement.shards.len() > cpus.len() {
            tracing::warn!(
                shards = placement.shards.len(),
                processors = cpus.len(),
                "more shards than processors: some share one, which makes them slower; lower shards"
            );
        }
        Ok(placement)
    }

    fn of(cpus: &[usize], usable: usize, shards: Option<u16>) -> Self {
        let most = logtank_engine::limits::SHARDS_MAX as usize;
        let shards = shards.map_or((usable - 1).clamp(1, most), usize::from);
        let on = |number: usize| cpus[number % cpus.len()];
        // Where the shards leave nothing, the others share with all of them, and rank below.
        let others = if shards < cpus.len() { &cpus[shards..] } else { cpus };
        Self { shards: (0..shards).map(on).collect(), others: others.to_vec() }
    }

    /// How many shards there are.
    pub(super) fn shards(&self) -> usize {
        self.shards.len()
    }

    /// Puts this thread, shard `number`, on its processor.
    pub(super) fn pin_shard(&self, number: usize) {
        complain("pinning a shard to its processor", affinity::pin(self.shards[number]));
    }

    /// Puts this thread, none of the shards, where they are not.
    pub(super) fn pin_other(&self) {
        complain("keeping a thread away from the shards", affinity::pin_to(&self.others));
    }

    /// As [`Self::pin_other`], and ranks the thread below all that a client waits for.
    pub(super) fn pin_background(&self) {
        self.pin_other();
        if Part::Priorities.is_left_out() {
            return;
        }
        complain("lowering a thread's rank at the processor", set_nice(10));
        complain("lowering a thread's rank at the drives", set_io_priority(IoPriority::Idle));
    }

    /// As [`Self::pin_other`], and ranks the thread below the shards.
    pub(super) fn pin_serving(&self) {
        self.pin_other();
        if Part::Priorities.is_left_out() {
            return;
        }
        complain("lowering a thread's rank at the processor", set_nice(5));
        complain("lowering a thread's rank at the drives", set_io_priority(IoPriority::BestEffort(7)));
    }
}

/// A host that can't place its threads is slower, not wrong.
fn complain(what: &str, result: std::io::Result<()>) {
    if let Err(error) = result {
        tracing::warn!(%error, "{what} failed; the host runs without");
    }
}

#[cfg(test)]
mod tests {
    use super::Placement;

    #[test]
    fn shards_leave_a_processor_to_the_others_unless_told_otherwise() {
        let place = |cpus: &[usize], usable, shards| {
            let placement = Placement::of(cpus, usable, shards);
            (placement.shards, placement.others)
        };
        assert_eq!(place(&[0, 1, 2, 3], 4, None), (vec![0, 1, 2], vec![3]));
        assert_eq!(place(&[5], 1, None), (vec![5], vec![5]));
        assert_eq!(place(&[0, 1, 2, 3], 2, None), (vec![0], vec![1, 2, 3]), "a quota of two");
        assert_eq!(place(&[0, 1], 2, Some(2)), (vec![0, 1], vec![0, 1]));
        assert_eq!(place(&[0, 1], 2, Some(3)), (vec![0, 1, 0], vec![0, 1]));
    }
}
