//! What a start does to a tree that this host has never opened.

use crate::error::Result;
use crate::io::disk::Disk;
use crate::raw_log::recover::promoted;
use crate::roles::{self, Initialized};
use crate::store::Store;

/// Repeating it finishes what is half-done.
const TRIES: u32 = 5;

/// Sets the flags of a tree that is opened for the first time, and gives raw segments of the original that began before the
/// checkpoint a time after it: says how many. Two roles of one host may start at once and be in each other's way here, so what
/// failed is tried again; but not after a failed sync, since a second one proves nothing.
///
/// # Errors
/// The disk's.
pub async fn prepare<D: Disk>(store: &Store<D>) -> Result<(Initialized, u64)> {
    let mut tries = 1;
    loop {
        match attempt(store).await {
            Err(error) if tries < TRIES && !error.is_failed_sync() => tries += 1,
            outcome => return outcome,
        }
    }
}

async fn attempt<D: Disk>(store: &Store<D>) -> Result<(Initialized, u64)> {
    let outcome = roles::initialize(store).await?;
    // What lies before the checkpoint later came from somewhere else.
    let placed = match outcome {
        Initialized::Before => 0,
        Initialized::Fresh | Initialized::Adopted | Initialized::Replicated => {
            promoted::place_after_dealt(store).await?
        }
    };
    Ok((outcome, placed))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::path::Path;
    use std::rc::Rc;

    use super::*;
    use crate::error::{DiskError, Verb};
    use crate::format::layout::Layout;
    use crate::testing::{Hooked, MemDisk, run};

    /// The outcome where the first call of this kind fails, and how many calls of it there were.
    fn failing_once(verb: Verb) -> (Result<(Initialized, u64)>, u32) {
        let memory = MemDisk::new();
        run(memory.create_folder(Path::new("/data/raw/live"))).unwrap();
        let calls = Rc::new(Cell::new(0));
        let disk = Hooked::new(memory, {
            let calls = calls.clone();
            move |call, path| {
                calls.set(calls.get() + u32::from(call == verb));
                let fails = call == verb && calls.get() == 1;
                if fails { Err(DiskError::new(call, path, std::io::Error::other("!"))) } else { Ok(()) }
            }
        });
        let outcome = run(prepare(&Store::new(disk, Layout::new(Path::new("/data"), None))));
        (outcome, calls.get())
    }

    #[test]
    fn what_another_start_disturbed_is_tried_again() {
        let (outcome, calls) = failing_once(Verb::Rename);
        assert_eq!(outcome.unwrap().0, Initialized::Fresh);
        assert!(calls > 1);
    }

    #[test]
    fn a_failed_sync_is_not_tried_again() {
        for verb in [Verb::Fsync, Verb::Fdatasync] {
            let (outcome, calls) = failing_once(verb);
            assert!(outcome.unwrap_err().is_failed_sync());
            assert_eq!(calls, 1, "{verb}");
        }
    }
}
