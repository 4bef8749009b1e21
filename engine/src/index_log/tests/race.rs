//! Jobs that meet at any of their calls: what is recovered meanwhile is right, or the reader must look again.

use super::fault_disk::{FaultDisk, run_to_fault};
use super::tree::{clean, look, optimize, sort, state};
use crate::limits::MIB;

async fn optimize_and_clean(disk: &FaultDisk) {
    optimize(disk, &super::tree::limits(16 * MIB as usize)).await.unwrap();
    clean(disk).await.unwrap();
}

async fn sort_now(disk: &FaultDisk) {
    sort(disk, &super::tree::limits(16 * MIB as usize)).await.unwrap();
}

// All calls of `job`, each in turn interrupted by `other`.
fn each_meeting<T>(
    job: impl AsyncFn(&FaultDisk) -> T,
    other: impl AsyncFn(&FaultDisk) + Copy + 'static,
    check: impl Fn(&FaultDisk, T),
) {
    let (start, _) = super::crash::index_of_all_kinds();
    let dry = FaultDisk::over(&start, None);
    run_to_fault(job(&dry)).unwrap();
    for call in 0..dry.calls() {
        let disk = FaultDisk::over(&start, None);
        let same = disk.clone();
        disk.interrupt(call, move || run_to_fault(other(&same)).unwrap());
        let result = run_to_fault(job(&disk)).unwrap();
        check(&disk, result);
    }
}

#[test]
fn a_look_is_right_or_the_files_are_gone_whatever_goes_on_beside_it() {
    let (_, expected) = super::crash::index_of_all_kinds();
    let mut whole = 0;
    let whole = std::cell::Cell::from_mut(&mut whole);
    let check = |_: &FaultDisk, found: crate::error::Result<_>| match found {
        Ok(found) => {
            assert_eq!(found, expected);
            whole.set(whole.get() + 1);
        }
        Err(error) => assert!(error.is_not_found(), "{error}"),
    };
    each_meeting(async |disk| state(disk).await, async |disk| sort_now(disk).await, check);
    each_meeting(async |disk| state(disk).await, async |disk| optimize_and_clean(disk).await, check);
    assert!(whole.get() > 20, "most looks come through: {}", whole.get());
}

#[test]
fn sorting_and_optimizing_meet_without_harm() {
    let (_, expected) = super::crash::index_of_all_kinds();
    let check = |disk: &FaultDisk, (): ()| {
        assert_eq!(run_to_fault(state(disk)).unwrap().unwrap(), expected);
        let chain = run_to_fault(look(disk)).unwrap().unwrap();
        assert!(chain.leftovers.is_empty() && chain.orphans.is_empty() && chain.unsorted.is_empty());
    };
    each_meeting(async |disk| sort_now(disk).await, async |disk| optimize_and_clean(disk).await, check);
    each_meeting(async |disk| optimize_and_clean(disk).await, async |disk| sort_now(disk).await, check);
}
