use std::path::Path;

use super::*;
use crate::deletions;
use crate::error::{DiskError, Verb};
use crate::ids::{IndexCode, Position};
use crate::testing::{Cut, Hooked, MemDisk, Stepped, run};

fn on<D: Disk>(disk: &D) -> Store<D> {
    Store::new(disk.clone(), Layout::new(Path::new("/data"), None))
}

/// A disk of which every call of this kind fails otherwise than for want of a file.
fn failing(verb: Verb) -> Store<impl Disk> {
    on(&Hooked::new(MemDisk::new(), move |call, path| {
        let refused = || std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        if call == verb { Err(DiskError::new(call, path, refused())) } else { Ok(()) }
    }))
}

#[test]
fn a_missing_folder_is_empty_and_a_refused_one_is_an_error() {
    let disk = MemDisk::new();
    let folder = Path::new("/data/a");
    assert_eq!(run(on(&disk).list(folder)).unwrap(), []);
    disk.put("/data/a/x", b"");
    assert_eq!(run(on(&disk).list(folder)).unwrap().len(), 1);
    assert!(run(failing(Verb::List).list(folder)).is_err());
}

#[test]
fn removing_and_renaming_say_whether_it_was_there() {
    let disk = MemDisk::new();
    disk.put("/data/x", b"1");
    let [from, to] = [Path::new("/data/x"), Path::new("/data/y")];
    assert!(run(on(&disk).rename(from, to)).unwrap());
    assert!(!run(on(&disk).rename(from, to)).unwrap(), "it has gone");
    assert_eq!(disk.get(to).unwrap(), b"1");
    assert!(run(on(&disk).remove(to)).unwrap());
    assert!(!run(on(&disk).remove(to)).unwrap());
    assert!(run(failing(Verb::Unlink).remove(to)).is_err());
    assert!(run(failing(Verb::Rename).rename(from, to)).is_err());
}

#[test]
fn a_look_is_taken_again_until_nothing_moves() {
    let store = on(&MemDisk::new());
    let gone = || DiskError::new(Verb::Open, Path::new("/data/x"), std::io::ErrorKind::NotFound.into());
    let mut looks = 0;
    let look = async || {
        looks += 1;
        match looks {
            1 => Err(gone().into()),
            2 => Ok(None),
            _ => Ok::<_, Error>(Some(looks)),
        }
    };
    assert_eq!(run(store.settle(Path::new("/data"), look)).unwrap(), 3);
}

#[test]
fn what_never_settles_is_an_error_of_its_own_kind() {
    let store = on(&MemDisk::new());
    let failed = |kind: std::io::ErrorKind| DiskError::new(Verb::Open, Path::new("/data/x"), kind.into());
    for kind in [Some(std::io::ErrorKind::NotFound), None] {
        let mut looks = 0;
        let look = async || {
            looks += 1;
            kind.map_or(Ok::<Option<()>, Error>(None), |kind| Err(failed(kind).into()))
        };
        let Err(Error::Unsettled(unsettled)) = run(store.settle(Path::new("/data"), look)) else { panic!() };
        assert_eq!(looks, LOOKS_MAX);
        assert_eq!((unsettled.looks, unsettled.path.as_path()), (LOOKS_MAX, Path::new("/data")));
        assert_eq!(unsettled.to_string().contains("open /data/x"), kind.is_some(), "{unsettled}");
    }
    let mut looks = 0;
    let look = async || {
        looks += 1;
        Err::<Option<()>, Error>(failed(std::io::ErrorKind::ResourceBusy).into())
    };
    assert!(matches!(run(store.settle(Path::new("/data"), look)), Err(Error::Disk(_))));
    assert_eq!(looks, 1, "the disk failed");
}

#[test]
fn a_small_file_is_missing_whole_or_too_long() {
    let disk = MemDisk::new();
    let path = Path::new("/data/x");
    let read = || run(on(&disk).read_small(path, 3)).unwrap();
    assert_eq!(read(), Small::Missing);
    disk.put(path, b"123");
    assert_eq!(read(), Small::Whole(b"123".to_vec()));
    disk.put(path, b"1234");
    assert_eq!((read(), read().or_empty()), (Small::TooLong, Vec::new()));
    assert!(run(failing(Verb::Open).read_small(path, 3)).is_err());
}

#[test]
fn a_publication_that_fails_leaves_what_was_there() {
    for verb in [Verb::Create, Verb::Write, Verb::Fdatasync, Verb::Rename] {
        let memory = MemDisk::new();
        let path = Path::new("/data/x");
        memory.put(path, b"old");
        let store = on(&Hooked::new(memory.clone(), move |call, path| {
            let full = || std::io::Error::from(std::io::ErrorKind::StorageFull);
            if call == verb { Err(DiskError::new(call, path, full())) } else { Ok(()) }
        }));
        assert!(run(store.publish(path, b"new")).is_err(), "{verb}");
        assert_eq!(
            (memory.files(), memory.get(path)),
            (vec![path.to_owned()], Some(b"old".to_vec())),
            "{verb}"
        );
    }
}

#[test]
fn who_publishes_the_same_is_left_at_it() {
    let disk = MemDisk::new();
    let path = Path::new("/data/x");
    disk.put("/data/.tmp-x", b"on its wa");
    run(on(&disk).publish_unless_begun(path, b"new")).unwrap();
    assert_eq!((disk.get(path), disk.get("/data/.tmp-x")), (None, Some(b"on its wa".to_vec())));
    run(on(&disk).publish(path, b"new")).unwrap();
    assert_eq!((disk.get(path), disk.get("/data/.tmp-x")), (Some(b"new".to_vec()), None));
    run(on(&disk).publish_unless_begun(path, b"newer")).unwrap();
    assert_eq!(disk.get(path), Some(b"newer".to_vec()));
}

/// Kills `job` after each of its calls, does it again, and cuts the power: what the second said to be durable is looked for.
fn killed_then_cut<T>(job: impl AsyncFn(&Store<Hooked<MemDisk>>) -> T, lasts: impl Fn(&MemDisk) -> bool) {
    for steps in 0.. {
        let disk = MemDisk::new();
        run(disk.create_folder(Path::new("/data/raw"))).unwrap();
        run(disk.sync_filesystem(Path::new("/data"))).unwrap();
        let slow = on(&Hooked::stepping(disk.clone()));
        let ended = Stepped::new(job(&slow)).steps(steps).is_some();
        disk.restart(Cut::Kill);
        Stepped::new(job(&slow)).steps(1_000).expect("it ends");
        disk.restart(Cut::Power);
        assert!(lasts(&disk), "killed after {steps} calls");
        if ended {
            break;
        }
    }
}

#[test]
fn a_folder_that_a_killed_process_made_becomes_durable() {
    let folder = Path::new("/data/indexes/m/segments");
    let there = |disk: &MemDisk| run(disk.metadata(folder)).unwrap().is_some();
    killed_then_cut(async |store| store.create_folder(folder).await.unwrap(), there);
}

#[test]
fn a_deletion_lasts_whatever_was_killed_before_it() {
    let code = IndexCode::new(b"m").unwrap();
    let delete = async |store: &Store<Hooked<MemDisk>>| {
        deletions::publish(store, &code, Position::ZERO).await.unwrap();
    };
    killed_then_cut(delete, |disk| run(deletions::load_one(&on(disk), &code)).unwrap().is_some());
}
