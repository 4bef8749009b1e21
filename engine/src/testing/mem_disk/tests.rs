use std::path::Path;

use super::*;
use crate::format::layout::Layout;
use crate::io::buffers::AlignedBuf;
use crate::io::disk::{Disk, DiskFile, Transfer};
use crate::store::Store;
use crate::testing::{Hooked, Stepped, run};

fn file(disk: &MemDisk, path: &str) -> MemFile {
    run(disk.open_write(Path::new(path), Transfer::Cached)).unwrap()
}

fn write(file: &MemFile, bytes: &[u8]) {
    run(file.write_at(AlignedBuf::copy_of(bytes), 0)).0.unwrap();
}

#[test]
fn a_file_is_published_whole_or_not_at_all() {
    let memory = MemDisk::new();
    memory.put("/a/file", b"old");
    let cuts = Cut::ALL.into_iter().chain((0..8).map(Cut::PowerKeepingSome));
    for cut in cuts {
        for steps in 0.. {
            let disk = memory.copy();
            let slow = Hooked::stepping(disk.clone());
            let layout = Layout::new(Path::new("/a"), None);
            let ended = Stepped::new(Store::new(slow, layout).publish(Path::new("/a/file"), b"new"))
                .steps(steps)
                .is_some();
            disk.restart(cut);
            let found = disk.get("/a/file").unwrap();
            let may_be_old = !ended || cut == Cut::Kill;
            assert!(found == b"new" || (found == b"old" && may_be_old), "after {steps} calls, {cut:?}");
            if ended {
                break;
            }
        }
    }
}

#[test]
fn each_cut_leaves_of_names_and_bytes_what_it_says() {
    let disk = MemDisk::new();
    disk.put("/a/file", b"old");
    write(&file(&disk, "/a/file"), b"new");
    run(disk.create(Path::new("/a/other"), Transfer::Cached)).unwrap();
    write(&file(&disk, "/a/other"), b"new");
    let left = |cut| {
        let after = disk.after(cut);
        [after.get("/a/file"), after.get("/a/other")]
            .map(|bytes| bytes.map(|b| String::from_utf8(b).unwrap()))
    };
    let [old, new, empty] = ["old", "new", ""].map(|bytes| Some(bytes.to_owned()));
    assert_eq!(left(Cut::Kill), [new.clone(), new.clone()]);
    assert_eq!(left(Cut::Power), [old.clone(), None]);
    assert_eq!(left(Cut::PowerKeepingNames), [old, empty]);
    assert_eq!(left(Cut::PowerKeepingBytes), [new, None]);
    let some: std::collections::BTreeSet<_> = (0..64).map(|seed| left(Cut::PowerKeepingSome(seed))).collect();
    assert!(some.len() > 4, "{some:?}");
}

#[test]
fn what_a_sync_covers_stays_whatever_is_cut() {
    let disk = MemDisk::new();
    disk.put_folder("/a/b");
    run(disk.create(Path::new("/a/b/file"), Transfer::Cached)).unwrap();
    let open = file(&disk, "/a/b/file");
    write(&open, b"synced");
    run(open.sync()).unwrap();
    run(disk.sync_folder(Path::new("/a/b"))).unwrap();
    run(disk.rename(Path::new("/a/b"), Path::new("/a/c"))).unwrap();
    for seed in 0..16 {
        let after = disk.after(Cut::PowerKeepingSome(seed));
        let found = after.get("/a/b/file").or(after.get("/a/c/file"));
        assert_eq!(found.as_deref(), Some(&b"synced"[..]), "{seed}");
        assert_eq!(after.files().len(), 1);
    }
}

#[test]
fn what_a_failed_sync_gave_up_no_later_one_writes() {
    let disk = MemDisk::new();
    disk.put("/a/file", b"old");
    let open = file(&disk, "/a/file");
    write(&open, b"new");
    run(disk.create(Path::new("/a/other"), Transfer::Cached)).unwrap();
    disk.fail_at(0, ErrorKind::Other);
    run(open.sync()).unwrap_err();
    run(open.sync()).unwrap();
    disk.fail_at(0, ErrorKind::Other);
    run(disk.sync_folder(Path::new("/a"))).unwrap_err();
    run(disk.sync_folder(Path::new("/a"))).unwrap();
    assert_eq!((disk.get("/a/file").unwrap(), disk.files().len()), (b"new".to_vec(), 2));
    disk.restart(Cut::Power);
    assert_eq!((disk.get("/a/file").unwrap(), disk.files().len()), (b"old".to_vec(), 1));
}

#[test]
fn a_copy_and_what_a_crash_leaves_are_disks_of_their_own() {
    let disk = MemDisk::new();
    disk.put("/a/file", b"old");
    let (copy, after) = (disk.copy(), disk.after(Cut::Kill));
    write(&file(&disk, "/a/file"), b"new");
    assert_eq!([copy.get("/a/file"), after.get("/a/file")], [Some(b"old".to_vec()), Some(b"old".to_vec())]);
    write(&file(&copy, "/a/file"), b"own");
    assert_eq!(disk.get("/a/file").unwrap(), b"new");
}
