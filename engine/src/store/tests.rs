use std::path::Path;

use super::*;
use crate::testing::{Hooked, MemDisk, run};

fn on<D: Disk>(disk: &D) -> Store<D> {
    Store::new(disk.clone(), Layout::new(Path::new("/data"), None))
}

/// A disk of which every call of this kind fails otherwise than for want of a file.
fn failing(verb: crate::error::Verb) -> Store<impl Disk> {
    on(&Hooked::new(MemDisk::new(), move |call, path| {
        let refused = || std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        if call == verb { Err(crate::error::DiskError::new(call, path, refused())) } else { Ok(()) }
    }))
}

#[test]
fn a_missing_folder_is_empty_and_a_refused_one_is_an_error() {
    let disk = MemDisk::new();
    let folder = Path::new("/data/a");
    assert_eq!(run(on(&disk).list(folder)).unwrap(), []);
    disk.put("/data/a/x", b"");
    assert_eq!(run(on(&disk).list(folder)).unwrap().len(), 1);
    assert!(run(failing(crate::error::Verb::List).list(folder)).is_err());
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
    assert!(run(failing(crate::error::Verb::Unlink).remove(to)).is_err());
    assert!(run(failing(crate::error::Verb::Rename).rename(from, to)).is_err());
}
