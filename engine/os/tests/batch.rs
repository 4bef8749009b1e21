//! Thousands of small files and folders at once.

use std::io::ErrorKind;
use std::path::Path;

use logtank_engine::error::Verb;
use logtank_engine::io::{Disk, EntryKind, NewFile};
use logtank_os::disk::{Throttle, UringDisk, block_on};

fn here(test: impl AsyncFnOnce(UringDisk, &Path)) {
    let folder = tempfile::tempdir().unwrap();
    let disk = UringDisk::new(&[folder.path()], Throttle::none()).unwrap();
    block_on(test(disk, folder.path())).unwrap();
}

fn file(path: impl AsRef<Path>, bytes: &[u8]) -> NewFile {
    NewFile { path: path.as_ref().to_owned(), bytes: bytes.to_vec() }
}

#[test]
fn files_are_created_whole_with_their_folders_and_replace_what_was_there() {
    here(async |disk, folder| {
        let path = |number: usize| folder.join(format!("{}/segments/{number}", number % 700));
        let content = |number: usize| vec![number as u8; number % 10_000];
        // Something shorter, something longer, and a link, which is replaced itself.
        std::fs::create_dir_all(path(5).parent().unwrap()).unwrap();
        std::fs::write(path(5), "old").unwrap();
        std::fs::write(path(705), [7; 9_000]).unwrap();
        std::fs::write(folder.join("target"), "mine").unwrap();
        std::os::unix::fs::symlink(folder.join("target"), path(1405)).unwrap();
        disk.create_all((0..1_500).map(|number| file(path(number), &content(number))).collect())
            .await
            .unwrap();
        for number in 0..1_500 {
            assert!(std::fs::read(path(number)).unwrap() == content(number), "file {number}");
        }
        assert_eq!(std::fs::read(folder.join("target")).unwrap(), b"mine");
        disk.create_all(Vec::new()).await.unwrap();
    });
}

#[test]
fn a_file_that_cannot_be_created_is_named() {
    here(async |disk, folder| {
        std::fs::write(folder.join("taken"), "").unwrap();
        std::fs::create_dir(folder.join("folder")).unwrap();
        let cases = [("taken/x", ErrorKind::NotADirectory), ("folder", ErrorKind::IsADirectory)];
        for (name, kind) in cases {
            let error = disk.create_all(vec![file(folder.join(name), b"x")]).await.unwrap_err();
            assert_eq!((error.verb, error.path), (Verb::Create, folder.join(name)));
            assert_eq!(error.source.kind(), kind, "{name}");
        }
    });
}

#[test]
fn folders_are_listed_in_their_order_and_missing_ones_are_empty() {
    here(async |disk, folder| {
        let folders: Vec<_> = (0..600).map(|number| folder.join(number.to_string())).collect();
        for (number, folder) in folders.iter().enumerate().filter(|(number, _)| number % 3 != 0) {
            std::fs::create_dir(folder).unwrap();
            std::fs::write(folder.join(format!("in-{number}")), "").unwrap();
        }
        let listings = disk.list_all(folders.clone()).await.unwrap();
        assert_eq!(listings.len(), folders.len());
        for (number, entries) in listings.iter().enumerate() {
            let names: Vec<_> = entries.iter().map(|entry| (entry.name.clone(), entry.kind)).collect();
            let expected =
                if number % 3 == 0 { vec![] } else { vec![(format!("in-{number}"), EntryKind::File)] };
            assert_eq!(names, expected);
        }
        std::fs::write(&folders[0], "").unwrap();
        let error = disk.list_all(folders.clone()).await.unwrap_err();
        assert_eq!((error.verb, error.path), (Verb::List, folders[0].clone()));
    });
}
