use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use logtank_engine::io::Disk;
use logtank_os::disk::{Throttle, UringDisk, block_on};

const FILES: usize = 1_000;

/// Names of file `number` after `renames` renames; long enough that a thousand don't fit the first buffer.
fn name(number: usize, renames: usize) -> String {
    format!("{number:04}-{:0200}-{renames:08}", renames.wrapping_mul(0x9e37_79b9))
}

fn rename_on_and_on(folder: &Path, stop: &AtomicBool) -> usize {
    let mut renames = 0;
    while !stop.load(Ordering::Relaxed) {
        let (number, round) = (renames * 7 % FILES, renames / FILES);
        std::fs::rename(folder.join(name(number, round)), folder.join(name(number, round + 1))).unwrap();
        renames += 1;
    }
    renames
}

#[test]
fn a_listing_is_of_one_moment_while_files_are_renamed() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..FILES {
        std::fs::write(folder.path().join(name(number, 0)), "").unwrap();
    }
    let disk = UringDisk::new(&[folder.path()], Throttle::none());
    let stop = AtomicBool::new(false);
    let renames = std::thread::scope(|scope| {
        let renamer = scope.spawn(|| rename_on_and_on(folder.path(), &stop));
        let listings = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            block_on(async {
                let disk = disk.unwrap();
                for _ in 0..20 {
                    let entries = disk.list(folder.path()).await.unwrap();
                    let numbers: BTreeSet<&str> = entries.iter().map(|entry| &entry.name[..4]).collect();
                    assert_eq!((entries.len(), numbers.len()), (FILES, FILES), "each file once");
                    assert!(entries.is_sorted_by(|a, b| a.name < b.name));
                }
            })
            .unwrap();
        }));
        stop.store(true, Ordering::Relaxed);
        let renames = renamer.join().unwrap();
        listings.map(|()| renames)
    });
    match renames {
        Ok(renames) => assert!(renames > 100, "too few renames to prove anything: {renames}"),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}
