use crate::store::Store;
use crate::testing::store;
use std::path::{Path, PathBuf};

use super::*;
use crate::deletions::{archive, publish};
use crate::format::layout::Layout;
use crate::ids::{Epoch, IndexCode, Position};
use crate::io::disk::Disk;
use crate::testing::{Cut, Hooked, MemDisk, Stepped, run};

fn id(number: u8) -> Identity {
    Identity::new([number; 16])
}

fn inside() -> Layout {
    Layout::new(Path::new("/data"), None)
}

fn apart() -> Layout {
    Layout::new(Path::new("/data"), Some(Path::new("/drive")))
}

fn put(disk: &MemDisk, path: PathBuf, written: Written) {
    disk.put(path, written.encode().as_bytes());
}

fn verdict(store: &Store<impl Disk>) -> Result<Verdict, Refusal> {
    run(look(store)).unwrap().judge()
}

/// A start, as far as it is about identities.
async fn start<D: Disk>(store: &Store<D>, fresh: Identity) -> Result<(), Refusal> {
    let verdict = look(store).await.unwrap().judge()?;
    for folder in [store.layout().raw_live(), store.layout().raw_history(), store.layout().indexes()] {
        store.disk().create_folder(&folder).await.unwrap();
    }
    for path in store.layout().raw_live().ancestors().chain([store.layout().data()]) {
        store.disk().sync_folder(path).await.unwrap();
    }
    settle(store, verdict, fresh).await.unwrap();
    Ok(())
}

/// Both folders of a tree that has received and dealt.
fn used(layout: &Layout) -> MemDisk {
    let disk = MemDisk::new();
    disk.put(layout.checkpoint(), b"1795343512642");
    disk.put(layout.token_key(), &[7; 32]);
    disk.put(layout.indexes().join("m/segments/2026.11.22-10.33.41.999.unsorted_21"), b"x");
    disk.put(layout.raw_live().join("1795343512643-0-0.rawlog"), b"x");
    disk.put(layout.raw_history().join("1795343512641-0-0.rawlog"), b"x");
    disk
}

/// As if the drive of a folder were not mounted: the folder is there, and empty.
fn unmount(disk: &MemDisk, folder: &Path) {
    let away = Path::new("/away");
    run(disk.rename(folder, away)).unwrap();
    run(disk.create_folder(folder)).unwrap();
}

fn mount(disk: &MemDisk, folder: &Path) {
    run(disk.remove_folder(folder)).unwrap();
    run(disk.rename(Path::new("/away"), folder)).unwrap();
}

#[test]
fn equal_ones_go_and_others_are_refused() {
    use Written::{Final, Pending};
    let marks = [None, Some(Pending(id(1))), Some(Final(id(1))), Some(Final(id(2)))];
    for layout in [inside(), apart()] {
        for data in marks {
            for raw in marks {
                let disk = used(&layout);
                data.into_iter().for_each(|written| put(&disk, layout.identity(), written));
                raw.into_iter().for_each(|written| put(&disk, layout.raw_identity(), written));
                let found = verdict(&store(&disk, &layout));
                match (data, raw) {
                    (Some(Final(a)), Some(Final(b))) if a == b => assert_eq!(found, Ok(Verdict::Keep)),
                    (Some(Pending(a)), Some(Final(b))) if a == b => {
                        assert_eq!(found, Ok(Verdict::Complete(a)));
                    }
                    (None | Some(Pending(_)), None) => assert_eq!(found, Ok(Verdict::Give)),
                    _ => {
                        let text = found.expect_err("they don't belong together").to_string();
                        assert!(
                            text.contains("/data") && text.contains(layout.raw().to_str().unwrap()),
                            "{text}"
                        );
                        assert!(text.contains("/data/accept_new_raw"), "{text}");
                    }
                }
                disk.put(layout.accept_new_raw(), b"");
                run(start(&store(&disk, &layout), id(3))).unwrap();
                assert_eq!(verdict(&store(&disk, &layout)), Ok(Verdict::Keep), "{data:?} {raw:?}");
                assert_eq!(disk.get(layout.accept_new_raw()), None, "it counts once");
            }
        }
    }
}

#[test]
fn a_folder_that_is_empty_for_one_start_is_refused() {
    for layout in [inside(), apart()] {
        for folder in [layout.raw(), layout.data()] {
            if folder == layout.data() && layout == inside() {
                continue; // Nothing is left that could tell it from a new one.
            }
            let disk = used(&layout);
            run(start(&store(&disk, &layout), id(1))).unwrap();
            unmount(&disk, folder);
            let before = disk.files();
            verdict(&store(&disk, &layout)).expect_err("half of it is missing");
            assert_eq!(disk.files(), before);
            mount(&disk, folder);
            assert_eq!(verdict(&store(&disk, &layout)), Ok(Verdict::Keep));
        }
    }
}

#[test]
fn trees_without_identity_show_by_content_that_one_is_missing() {
    // As above, of a tree that no host of this version has opened.
    for layout in [inside(), apart()] {
        for folder in [layout.raw(), layout.data()] {
            if folder == layout.data() && layout == inside() {
                continue;
            }
            let disk = used(&layout);
            assert_eq!(verdict(&store(&disk, &layout)), Ok(Verdict::Give));
            unmount(&disk, folder);
            verdict(&store(&disk, &layout)).expect_err("half of it is missing");
        }
        // Nothing was dealt yet.
        let disk = MemDisk::new();
        disk.put(layout.token_key(), &[7; 32]);
        disk.put(layout.raw_live().join("1795343512643-0-0.rawlog"), b"x");
        assert_eq!(verdict(&store(&disk, &layout)), Ok(Verdict::Give));
        unmount(&disk, layout.raw());
        verdict(&store(&disk, &layout)).expect_err("the raw log is missing");
    }
}

#[test]
fn trees_of_the_original_and_restored_ones_are_taken() {
    let nothing = MemDisk::new();
    assert_eq!(verdict(&store(&nothing, &inside())), Ok(Verdict::Give));
    assert_eq!(verdict(&store(&nothing, &apart())), Ok(Verdict::Give));
    run(look(&store(&nothing, &inside()))).unwrap().is_there().expect_err("there is no data directory");
    for files in [
        &["indexes/ghost/last_read", "safe_to_read"][..],
        &["raw/live/1795343512642.raw"],
        // Drained.
        &["raw/history/1795343512642.raw", "dealer.next_timestamp.info"],
        // Indexes that were copied beside raw segments.
        &["raw/live/1795343512642-0-0.rawlog", "indexes/m/segments/2026.11.22-10.33.41.999.sorted_21"],
    ] {
        let disk = MemDisk::new();
        files.iter().for_each(|file| disk.put(inside().data().join(file), b"1795343512643"));
        assert_eq!(verdict(&store(&disk, &inside())), Ok(Verdict::Give), "{files:?}");
        run(look(&store(&disk, &inside()))).unwrap().is_there().unwrap();
    }
}

#[test]
fn a_raw_log_that_leaves_the_data_directory_is_not_missing() {
    let tree = |files: &[&str]| {
        let disk = MemDisk::new();
        files.iter().for_each(|file| disk.put(apart().data().join(file), b"1795343512643"));
        run(disk.create_folder(&inside().raw_live())).unwrap();
        disk
    };
    let dealt = ["dealer.next_timestamp.info", "indexes/m/segments/2026.11.22-10.33.41.999.sorted_21"];
    for raw in [Path::new("/drive/raw/live"), Path::new("/drive")] {
        let taken = |files: &[&str]| {
            let disk = tree(&[&dealt, files].concat());
            run(disk.create_folder(raw)).unwrap();
            verdict(&store(&disk, &apart()))
        };
        // The original's; and this host's, which has dealt all and kept it there.
        assert_eq!(taken(&["raw/history/1795343512642.raw"]), Ok(Verdict::Give));
        assert_eq!(taken(&["token.key", "raw/history/1795343512642-0-0.rawlog"]), Ok(Verdict::Give));
        // Its raw log was elsewhere when it dealt last.
        for other in [&["token.key"][..], &["token.key", "raw/history/1795343512641-0-0.rawlog"]] {
            assert!(matches!(taken(other), Err(Refusal::RawEmpty { .. })), "{other:?}");
        }
    }
}

#[test]
fn what_was_received_must_be_there() {
    let (disk, layout) = (used(&inside()), inside());
    run(start(&store(&disk, &layout), id(1))).unwrap();
    unmount(&disk, &layout.raw_live());
    assert_eq!(verdict(&store(&disk, &layout)), Ok(Verdict::Keep), "an empty one is that of a drained tree");
    run(disk.remove_folder(&layout.raw_live())).unwrap();
    assert!(matches!(verdict(&store(&disk, &layout)), Err(Refusal::LiveMissing { .. })));
}

#[test]
fn what_was_dealt_must_be_there() {
    let (disk, layout) = (used(&inside()), inside());
    run(start(&store(&disk, &layout), id(1))).unwrap();
    unmount(&disk, &layout.indexes());
    assert_eq!(verdict(&store(&disk, &layout)), Ok(Verdict::Keep), "all indexes may have been deleted");
    run(disk.remove_folder(&layout.indexes())).unwrap();
    assert!(matches!(verdict(&store(&disk, &layout)), Err(Refusal::IndexesMissing { .. })));
    // Nothing was dealt: a start makes it.
    run(disk.remove_file(&layout.checkpoint())).unwrap();
    run(disk.remove_file(&layout.raw_history().join("1795343512641-0-0.rawlog"))).unwrap();
    assert_eq!(verdict(&store(&disk, &layout)), Ok(Verdict::Keep));
}

#[test]
fn an_older_copy_of_the_data_directory_is_refused() {
    for layout in [inside(), apart()] {
        let disk = used(&layout);
        run(start(&store(&disk, &layout), id(1))).unwrap();
        let name = "1795343512642-1-0.rawlog";
        let archived = layout.raw_history().join(name);
        // Dealt and archived by the state of the data directory that was lost: the older one would begin there.
        disk.put(&archived, b"x");
        let Err(Refusal::DataOlder { first, .. }) = verdict(&store(&disk, &layout)) else {
            panic!("not refused")
        };
        assert_eq!(first.millis(), 1_795_343_512_642);
        // Not by saying so either, nor where there are no identities yet: there is a way that loses nothing.
        disk.put(layout.accept_new_raw(), b"");
        assert!(matches!(verdict(&store(&disk, &layout)), Err(Refusal::DataOlder { .. })));
        run(disk.remove_file(&layout.accept_new_raw())).unwrap();
        for identity in [layout.identity(), layout.raw_identity()] {
            run(disk.remove_file(&identity)).unwrap();
        }
        assert!(matches!(verdict(&store(&disk, &layout)), Err(Refusal::DataOlder { .. })));
        run(disk.rename(&archived, &layout.raw_live().join(name))).unwrap();
        assert_eq!(verdict(&store(&disk, &layout)), Ok(Verdict::Give));
    }
}

#[test]
fn a_copy_from_before_all_dealing_is_refused() {
    let disk = used(&inside());
    run(start(&store(&disk, &inside()), id(1))).unwrap();
    run(disk.remove_file(&inside().checkpoint())).unwrap();
    assert_eq!(
        verdict(&store(&disk, &inside())),
        Ok(Verdict::Keep),
        "only the checkpoint is gone, and is made anew"
    );
    unmount(&disk, &inside().indexes());
    assert!(matches!(verdict(&store(&disk, &inside())), Err(Refusal::DataOlder { .. })));
}

#[test]
fn a_copy_from_before_a_deletion_is_refused() {
    let code = IndexCode::new(b"m").unwrap();
    let deleted = |millis: u64, ordinal: u32, without: &[&str]| {
        let disk = used(&inside());
        for path in disk.files() {
            if without.iter().any(|folder| path.starts_with(folder)) {
                run(disk.remove_file(&path)).unwrap();
            }
        }
        let before = Position::new(Epoch::new(millis).unwrap(), ordinal);
        let name = archive::ArchivedName { before, code: code.clone() };
        disk.put(inside().raw_history().join(name.to_string()), b"x");
        let older = match verdict(&store(&disk, &inside())) {
            Err(Refusal::DataOlder { first, .. }) => Some(first.millis()),
            other => other.map(|_| None).unwrap(),
        };
        // Where it is known, or can't be read, nothing is refused.
        run(publish(&store(&disk, &inside()), &code, before)).unwrap();
        assert_eq!(verdict(&store(&disk, &inside())), Ok(Verdict::Give), "{name}");
        disk.put(inside().deletion(&code), b"damaged");
        assert_eq!(verdict(&store(&disk, &inside())), Ok(Verdict::Give), "{name}");
        older
    };
    let (next, segment) = (1_795_343_512_642, 1_795_343_621_999);
    // What it deleted is in a segment, or not dealt yet.
    assert_eq!(deleted(segment + 1, 0, &["/data/raw/live"]), Some(segment + 1));
    assert_eq!(deleted(next + 1, 7, &["/data/indexes"]), Some(next + 1));
    // It was carried out and forgotten, by that checkpoint or by a later one: of what it covers nothing is left.
    assert_eq!(deleted(segment + 1, 0, &["/data/raw/live", "/data/indexes"]), None);
    assert_eq!(deleted(next - 1, 9, &[]), None);
}

#[test]
fn a_damaged_one_is_mended_by_the_others_copy() {
    let layout = apart();
    for damaged in [layout.identity(), layout.raw_identity()] {
        let disk = used(&layout);
        run(start(&store(&disk, &layout), id(1))).unwrap();
        disk.put(&damaged, b"garbage");
        let Err(Refusal::Unreadable { copy: Some(copy), .. }) = verdict(&store(&disk, &layout)) else {
            panic!("{:?}", verdict(&store(&disk, &layout)))
        };
        disk.put(&damaged, &disk.get(copy).unwrap());
        assert_eq!(verdict(&store(&disk, &layout)), Ok(Verdict::Keep));
    }
}

#[test]
fn a_start_that_ends_anywhere_is_completed_by_the_next() {
    let fresh = MemDisk::new();
    fresh.put("/data/other", b"");
    let other = used(&apart());
    put(&other, apart().identity(), Written::Final(id(8)));
    put(&other, apart().raw_identity(), Written::Final(id(9)));
    other.put(apart().accept_new_raw(), b"");
    for (layout, before) in
        [(inside(), fresh), (inside(), used(&inside())), (apart(), used(&apart())), (apart(), other)]
    {
        for cut in Cut::each(0) {
            for steps in 0.. {
                let disk = before.copy();
                let slow = Hooked::stepping(disk.clone());
                let ended = Stepped::new(start(&store(&slow, &layout), id(1))).steps(steps);
                disk.restart(cut);
                run(start(&store(&disk, &layout), id(2))).unwrap();
                let left = disk.copy();
                assert_eq!(verdict(&store(&left, &layout)), Ok(Verdict::Keep), "after {steps} calls");
                assert_eq!(left.get(layout.accept_new_raw()), None, "after {steps} calls");
                assert_eq!(left.get(layout.identity()), left.get(layout.raw_identity()));
                // What the second found may have been on no drive yet.
                disk.restart(Cut::Power);
                run(start(&store(&disk, &layout), id(3))).unwrap();
                assert_eq!(verdict(&store(&disk, &layout)), Ok(Verdict::Keep), "after {steps} calls");
                if let Some(outcome) = ended {
                    outcome.unwrap();
                    assert_eq!(
                        left.get(layout.identity()).unwrap(),
                        Written::Final(id(1)).encode().as_bytes()
                    );
                    break;
                }
            }
        }
    }
}

#[test]
fn a_raw_log_left_by_a_start_that_ended_goes_to_no_other() {
    // A start gave its identity to one drive and ended before the data directory had it; the next finds another drive.
    let layout = apart();
    for steps in 0.. {
        let disk = MemDisk::new();
        run(disk.create_folder(layout.data())).unwrap();
        let slow = Hooked::stepping(disk.clone());
        let ended = Stepped::new(start(&store(&slow, &layout), id(1))).steps(steps).is_some();
        let left = disk.copy();
        run(left.create_folder(Path::new("/drive"))).unwrap();
        unmount(&left, Path::new("/drive"));
        let settled =
            left.get(layout.identity()).as_deref() == Some(Written::Final(id(1)).encode().as_bytes());
        let second = run(start(&store(&left, &layout), id(2)));
        run(left.rename(Path::new("/drive"), Path::new("/second"))).unwrap();
        run(left.rename(Path::new("/away"), Path::new("/drive"))).unwrap();
        if second.is_ok() && left.get(layout.raw_identity()).is_some() {
            verdict(&store(&left, &layout)).expect_err("it belongs to the second one now");
        }
        assert_eq!(second.is_err(), settled, "after {steps} calls");
        if ended {
            assert!(settled);
            break;
        }
    }
}
