use std::path::Path;

use super::*;
use crate::error::{DiskError, Verb};
use crate::testing::{Hooked, MemDisk, run};

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
