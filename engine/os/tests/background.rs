use std::path::Path;

use logtank_engine::io::{AlignedBuf, Disk, DiskFile, Transfer};
use logtank_os::disk::{Throttle, UringDisk, block_on};
use logtank_os::priority::{IoPriority, io_priority, set_io_priority, set_nice};

/// Niceness in a thread's stat file: the 19th field; the second one is a name that may hold spaces.
fn niceness(stat: &Path) -> i32 {
    let stat = std::fs::read_to_string(stat).unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    fields.split(' ').nth(19 - 3).unwrap().parse().unwrap()
}

/// What `ionice` says of a thread.
fn io_class(thread: &str) -> String {
    let output = std::process::Command::new("ionice").args(["-p", thread]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn threads_that_work_for_the_background_have_its_ranks() {
    let folder = tempfile::tempdir().unwrap();
    let background = || {
        set_io_priority(IoPriority::Idle).unwrap();
        set_nice(11).unwrap();
        let disk = UringDisk::new(&[folder.path()], Throttle::none()).unwrap();
        block_on(async {
            let file = disk.create(&folder.path().join("file"), Transfer::Cached).await.unwrap();
            file.write_at(AlignedBuf::copy_of(&[1; 5000]), 0).await.0.unwrap();
            file.sync().await.unwrap();
            let helper = tokio::task::spawn_blocking(|| {
                (io_priority().unwrap(), niceness(Path::new("/proc/thread-self/stat")))
            });
            assert_eq!(helper.await.unwrap(), (IoPriority::Idle, 11));
            // fdatasync always goes to a worker of the ring, which waits a while for more.
            let own = rustix::thread::gettid().as_raw_nonzero();
            let mut workers = 0;
            for entry in std::fs::read_dir("/proc/self/task").unwrap() {
                let task = entry.unwrap().path();
                let name = std::fs::read_to_string(task.join("comm")).unwrap_or_default();
                if name.trim() == format!("iou-wrk-{own}") {
                    workers += 1;
                    assert_eq!(niceness(&task.join("stat")), 11);
                    assert_eq!(io_class(task.file_name().unwrap().to_str().unwrap()), "idle");
                }
            }
            assert!(workers > 0, "there is no worker to look at");
        })
        .unwrap();
    };
    std::thread::scope(|scope| scope.spawn(background).join().unwrap());
}
