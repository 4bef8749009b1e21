use super::*;
use crate::testing::store;

/// Epochs 10 and 20 complete, 30 open with two records of `gone`: all acknowledged when `gone` is deleted. Then
/// one more in epoch 30 and one in 40.
struct DeletedWhileDealing {
    disk: MemDisk,
    open: RawEpoch,
}

impl DeletedWhileDealing {
    fn new() -> Self {
        let disk = empty();
        for millis in [10, 20] {
            let mut raw = RawEpoch::new(millis, 1);
            raw.frame(0, &[raw_record("gone", "old", Some("x")), raw_record("kept", "a", Some("x"))]);
            raw.put(&store(&disk, &layout()), true);
        }
        let mut open = RawEpoch::new(30, 1);
        open.frame(0, &[raw_record("gone", "old", Some("x")), raw_record("kept", "a", Some("x"))]);
        open.put(&store(&disk, &layout()), false);
        Self { disk, open }
    }

    fn write_anew(&mut self) {
        self.open.frame(0, &[raw_record("gone", "new", Some("y"))]);
        self.open.put(&store(&self.disk, &layout()), true);
        let mut last = RawEpoch::new(40, 1);
        last.frame(0, &[raw_record("gone", "new", Some("z")), raw_record("kept", "a", Some("x"))]);
        last.put(&store(&self.disk, &layout()), true);
    }

    fn check(self, memory: usize, deletions: &DeletionLog, what: &str) {
        deal_all(&mut dealer(&self.disk, memory), deletions);
        let contents = contents(&self.disk);
        let new = |text: &str| ("new".to_owned(), text.to_owned());
        assert_eq!(contents["gone"], [new("y"), new("z")], "{what}");
        assert_eq!(contents["kept"].len(), 4, "{what}");
    }
}

#[test]
fn a_deletion_at_any_call_of_dealing_covers_all_before_it_and_nothing_after() {
    // What is written anew completes the open epoch: after the present dealing, or right in the middle of it.
    for (memory, wait) in [(1 << 20, true), (1 << 20, false), (400, false)] {
        for steps in 0.. {
            let mut world = DeletedWhileDealing::new();
            let deletions = DeletionLog::new();
            let slow = Hooked::stepping(world.disk.clone());
            let mut dealing = dealer(&slow, memory);
            let mut dealing = Stepped::new(async {
                while dealing.deal_next(&deletions).await.unwrap() != Outcome::Nothing {}
            });
            let mut ended = dealing.steps(steps).is_some();
            // The deletion runs to its end; where it needs the lock, dealing goes on until it gets it.
            let (fast, gone) = (store(&world.disk, &layout()), code("gone"));
            let mut deleting = Stepped::new(deletions.delete(&fast, &gone));
            while deleting.step().is_none() {
                ended = ended || dealing.step().is_some();
            }
            if !wait {
                world.write_anew();
            }
            if !ended {
                while dealing.step().is_none() {}
            }
            drop((dealing, deleting));
            if wait {
                world.write_anew();
            }
            world.check(memory, &deletions, &format!("deleted after {steps} calls"));
            if ended {
                assert!(steps > 20);
                break;
            }
        }
    }
}

#[test]
fn what_a_crash_left_of_a_deleted_index_is_not_dealt_again() {
    let disk = empty();
    log(&disk, 1, 2, 4);
    let deletions = DeletionLog::new();
    // Both segments are published, the checkpoint is not.
    let slow = Hooked::stepping(disk.clone());
    let mut dealer_before = dealer(&slow, 1 << 20);
    let mut dealing = Stepped::new(dealer_before.deal_next(&deletions));
    while disk.files().iter().filter(|path| path.ends_with("1970.01.01-00.00.00.010.unsorted_2")).count() < 2
    {
        assert!(dealing.step().is_none());
    }
    drop(dealing);
    run(DeletionLog::new().delete(&store(&disk, &layout()), &code("i0"))).unwrap();
    let dealt = deal_all(&mut dealer(&disk, 1 << 20), &DeletionLog::new());
    assert_eq!((dealt[0].deleted_records, dealt[0].records()), (2, 2));
    assert!(!disk.files().iter().any(|path| path.starts_with("/data/indexes/i0")));
    assert_eq!(contents(&disk)["i1"].len(), 2);
}

#[test]
fn an_unreadable_deletion_is_told_and_drops_nothing() {
    let disk = empty();
    let expected = log(&disk, 1, 2, 4);
    disk.put(layout().deletion(&code("i0")), b"99 0 00000000\n");
    let dealt = deal_all(&mut dealer(&disk, 1 << 20), &DeletionLog::new());
    assert_eq!(dealt[0].unreadable_deletions[0].path, layout().deletion(&code("i0")));
    assert_eq!(contents(&disk), expected);
}
