//! A job that ends at any of its calls, by a kill, a power cut or an error: what is recovered afterwards is
//! right at once, and running the job again finishes it, with nothing left over.

use crate::testing::store;
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::history::DOCIDS;
use super::model::State;
use super::tree::{
    clean, code, deal, deal_legacy, empty_index, epoch, layout, limits, look, optimize, remove_strays, sort,
    state,
};
use crate::error::{Error, Result, Verb};
use crate::format::names::{self, SegmentKind};
use crate::index_log::record::Record;
use crate::index_log::sidecar_file::rebuild_sidecar;
use crate::index_log::verify::verify_index;
use crate::io::disk::Disk;
use crate::limits::MIB;
use crate::testing::{Choices, Cut, Hooked, MemDisk, Stepped, run};

/// What is done to the index, again and again until it succeeds.
#[derive(Clone, Copy, Debug)]
enum Job {
    Sort { job_bytes_max: usize },
    Optimize,
    RebuildSidecars,
}

const SORT: Job = Job::Sort { job_bytes_max: 16 * MIB as usize };
/// So little memory that each few records become a run, and runs are merged in several passes.
const SORT_BY_RUNS: Job = Job::Sort { job_bytes_max: 1_700 };

async fn perform<D: Disk>(disk: &D, job: Job) -> Result<()> {
    match job {
        Job::Sort { job_bytes_max } => sort(disk, &limits(job_bytes_max)).await.map(drop),
        Job::Optimize => optimize(disk, &limits(16 * MIB as usize)).await.map(drop),
        Job::RebuildSidecars => {
            let names: Vec<_> = look(disk).await?.in_order().map(|segment| segment.name).collect();
            for name in names {
                rebuild_sidecar(&store(disk, &layout()), &code(), name).await?;
            }
            Ok(())
        }
    }
}

fn records(seed: u64, count: u64) -> Vec<Record> {
    let mut choices = Choices(seed);
    (0..count)
        .map(|number| Record {
            timestamp_ms: Some(i64::try_from(number).unwrap()),
            docid: DOCIDS[usize::try_from(choices.below(9)).unwrap()].into(),
            deleted: choices.below(4) == 0,
            fields: (choices.below(2) == 0).then(|| [(b"f".to_vec(), vec![b'0' + number as u8])].into()),
            variables: (choices.below(2) == 0).then(|| [(choices.below(3) as i32, number)].into()),
            categories: None,
        })
        .collect()
}

// Optimized, sorted and unsorted segments, with and without sidecars.
pub(super) fn index_of_all_kinds() -> (MemDisk, State) {
    let disk = empty_index();
    let mut history = Vec::new();
    for time in 1..=7 {
        let records = records(time, 9);
        if time % 3 == 0 {
            deal_legacy(&disk, epoch(time), &records);
        } else {
            run(deal(&disk, epoch(time), &records)).unwrap();
        }
        history.extend(records);
        match time {
            1 | 3 | 4 => drop(run(sort(&disk, &limits(16 * MIB as usize))).unwrap()),
            2 => drop(run(optimize(&disk, &limits(16 * MIB as usize))).unwrap()),
            _ => {}
        }
    }
    run(clean(&disk)).unwrap();
    (disk, State::after(&history))
}

impl Job {
    // Comes to the same, in fewer calls.
    const fn repaired_by(self) -> Self {
        match self {
            Self::Sort { .. } => SORT,
            Self::Optimize | Self::RebuildSidecars => self,
        }
    }
}

// What the cleaner does, then the job, without a fault; and that all is well then.
fn finish(found: &MemDisk, job: Job, expected: &State, finished: &[PathBuf], what: &str) {
    assert_eq!(run(state(found)).unwrap(), *expected, "recovered before anything is repaired: {what}");
    run(remove_strays(found)).unwrap();
    assert_eq!(run(state(found)).unwrap(), *expected, "recovered after the strays were removed: {what}");
    run(perform(found, job.repaired_by())).unwrap();
    assert_eq!(run(state(found)).unwrap(), *expected, "recovered after the job: {what}");
    assert_eq!(found.files(), finished, "nothing is left over: {what}");
    let verified =
        run(verify_index(&store(found, &layout()), &code(), &limits(16 * MIB as usize), &BTreeSet::new()))
            .unwrap();
    assert_eq!(verified.findings, [], "{what}");
}

fn is_temporary(path: &Path) -> bool {
    names::is_temporary(path.file_name().unwrap().to_str().unwrap())
}

/// Begins the job and ends it before the call of this number; whether it was not over by then.
fn stopped_before(disk: &MemDisk, job: Job, call: usize) -> bool {
    let slow = Hooked::stepping(disk.clone());
    Stepped::new(perform(&slow, job)).steps(call + 1).is_none()
}

fn each_fault(job: Job) {
    let (start, expected) = index_of_all_kinds();
    assert!(expected.0.len() > 3);
    let dry = start.copy();
    run(perform(&dry, job)).unwrap();
    let (calls, finished) = (dry.calls(), dry.files());
    assert_ne!(finished, start.files(), "the job does something");
    assert_eq!(run(state(&dry)).unwrap(), expected);
    for call in 0..calls {
        let disk = start.copy();
        assert!(stopped_before(&disk, job, call), "call {call} stops");
        for cut in Cut::each(call) {
            finish(&disk.after(cut), job, &expected, &finished, &format!("{cut:?} before call {call}"));
        }
        // The next process finishes it, and only then the power fails: not all that it found was durable.
        run(perform(&disk, job)).unwrap();
        for cut in Cut::each(call) {
            let what = format!("killed before call {call}, finished, {cut:?}");
            finish(&disk.after(cut), job, &expected, &finished, &what);
        }
        let kind = if call % 2 == 0 { ErrorKind::Other } else { ErrorKind::StorageFull };
        let what = format!("{kind:?} from call {call}");
        let disk = start.copy();
        disk.fail_at(call, kind);
        let result = run(perform(&disk, job));
        assert_eq!(run(state(&disk)).unwrap(), expected, "{what}");
        if let Err(error) = result {
            let left = disk.files().into_iter().any(|path| is_temporary(&path));
            let removing = matches!(&error, Error::Disk(error) if error.verb == Verb::Unlink);
            assert!(!left || removing, "room is given back: {what}");
            run(perform(&disk, job)).unwrap();
        }
        let cut = Cut::PowerKeepingSome(call as u64);
        finish(&disk.after(cut), job, &expected, &finished, &what);
    }
}

#[test]
fn a_sort_may_end_at_any_call() {
    each_fault(SORT);
}

#[test]
fn a_sort_by_runs_may_end_at_any_call() {
    each_fault(SORT_BY_RUNS);
}

#[test]
fn an_optimization_may_end_at_any_call() {
    each_fault(Job::Optimize);
}

#[test]
fn making_sidecars_may_end_at_any_call() {
    each_fault(Job::RebuildSidecars);
}

#[test]
fn whatever_of_a_sorts_inputs_is_left_over_is_not_applied_again() {
    let (start, expected) = index_of_all_kinds();
    let inputs: Vec<_> = run(look(&start)).unwrap().unsorted.iter().map(|segment| segment.name).collect();
    assert_eq!(inputs.len(), 3);
    for left in 1..1 << inputs.len() {
        let disk = start.copy();
        run(sort(&disk, &limits(16 * MIB as usize))).unwrap();
        let sorted = disk.files();
        let left: Vec<_> = inputs
            .iter()
            .enumerate()
            .filter(|(number, _)| left >> number & 1 == 1)
            .map(|(_, name)| *name)
            .collect();
        for &name in &left {
            let path = layout().segment(&code(), name);
            disk.put(&path, &start.get(&path).unwrap());
        }
        let chain = run(look(&disk)).unwrap();
        assert_eq!(chain.leftovers, left);
        assert!(
            chain.unsorted.is_empty()
                && chain.in_order().all(|segment| segment.name.kind != SegmentKind::Unsorted)
        );
        finish(&disk, SORT, &expected, &sorted, &format!("{left:?} left over"));
    }
}

#[test]
fn leftovers_are_removed_only_when_what_covers_them_is_durable() {
    let (start, expected) = index_of_all_kinds();
    let dry = start.copy();
    run(perform(&dry, SORT)).unwrap();
    let (calls, finished) = (dry.calls(), dry.files());
    // The process ends when the sorted segment has its name, and no sync covers it.
    let named = |call: &usize| {
        let disk = start.copy();
        assert!(stopped_before(&disk, SORT, *call));
        !run(look(&disk)).unwrap().leftovers.is_empty()
    };
    let first = (0..calls).find(named).unwrap();
    for second in 0.. {
        let disk = start.copy();
        assert!(stopped_before(&disk, SORT, first));
        let ended = !stopped_before(&disk, SORT, second);
        for cut in Cut::ALL.into_iter().chain((0..8).map(Cut::PowerKeepingSome)) {
            let what = format!("{cut:?} before call {second} of the next sort");
            finish(&disk.after(cut), SORT, &expected, &finished, &what);
        }
        if ended {
            break;
        }
    }
}
