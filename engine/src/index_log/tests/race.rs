//! Jobs that meet at any of their calls: what is recovered meanwhile is right, or the reader must look again.

use std::cell::Cell;
use std::rc::Rc;

use super::tree::{clean, look, optimize, sort, state};
use crate::io::disk::Disk;
use crate::limits::MIB;
use crate::testing::{Hooked, MemDisk, run};

async fn optimize_and_clean<D: Disk>(disk: &D) {
    optimize(disk, &super::tree::limits(16 * MIB as usize)).await.unwrap();
    clean(disk).await.unwrap();
}

async fn sort_now<D: Disk>(disk: &D) {
    sort(disk, &super::tree::limits(16 * MIB as usize)).await.unwrap();
}

// All calls of `job`, each in turn interrupted by `other`.
fn each_meeting<T>(
    job: impl AsyncFn(&Hooked<MemDisk>) -> T,
    other: impl AsyncFn(&MemDisk) + Copy + 'static,
    check: impl Fn(&MemDisk, T),
) {
    let (start, _) = super::crash::index_of_all_kinds();
    for call in 0.. {
        let (disk, calls) = (start.copy(), Rc::new(Cell::new(0)));
        let (beside, counted) = (disk.clone(), calls.clone());
        let hooked = Hooked::new(disk.clone(), move |_, _| {
            if counted.replace(counted.get() + 1) == call {
                run(other(&beside));
            }
            Ok(())
        });
        let result = run(job(&hooked));
        if calls.get() <= call {
            assert!(call > 20, "they met at many calls");
            break;
        }
        check(&disk, result);
    }
}

#[test]
fn a_look_is_right_or_the_files_are_gone_whatever_goes_on_beside_it() {
    let (_, expected) = super::crash::index_of_all_kinds();
    let whole = Cell::new(0);
    let check = |_: &MemDisk, found: crate::error::Result<_>| match found {
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
    let check = |disk: &MemDisk, (): ()| {
        assert_eq!(run(state(disk)).unwrap(), expected);
        let chain = run(look(disk)).unwrap();
        assert!(chain.leftovers.is_empty() && chain.orphans.is_empty() && chain.unsorted.is_empty());
    };
    each_meeting(async |disk| sort_now(disk).await, async |disk| optimize_and_clean(disk).await, check);
    each_meeting(async |disk| optimize_and_clean(disk).await, async |disk| sort_now(disk).await, check);
}
