//! Names, folders and what is known of files.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;

use logtank_engine::error::Verb;
use logtank_engine::format::Layout;
use logtank_engine::io::{AlignedBuf, Disk, DiskFile, EntryKind, Transfer};
use logtank_engine::store::{Small, Store};
use logtank_os::clock;
use logtank_os::disk::{Throttle, UringDisk, block_on};

fn here(test: impl AsyncFnOnce(UringDisk, &Path)) {
    let folder = tempfile::tempdir().unwrap();
    let disk = UringDisk::new(&[folder.path()], Throttle::none()).unwrap();
    block_on(test(disk, folder.path())).unwrap();
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_published_file_is_whole_and_replaces_the_old_one() {
    here(async |disk, folder| {
        let store = Store::new(disk, Layout::new(folder, None));
        let path = folder.join("dealer.next_timestamp.info");
        // A temporary file of a process that died half way is in nobody's way.
        std::fs::write(folder.join(".tmp-dealer.next_timestamp.info"), "torn").unwrap();
        for content in ["1", "1234567890123", ""] {
            store.publish(&path, content.as_bytes()).await.unwrap();
            assert_eq!(store.read_small(&path, 64).await.unwrap(), Small::Whole(content.as_bytes().to_vec()));
            assert_eq!(names(folder), ["dealer.next_timestamp.info"]);
        }
        std::fs::write(&path, [0; 65]).unwrap();
        assert_eq!(store.read_small(&path, 64).await.unwrap(), Small::TooLong);
    });
}

#[test]
fn errors_name_verb_and_path() {
    here(async |disk, folder| {
        let missing = folder.join("missing");
        let taken = folder.join("taken");
        std::fs::write(&taken, "").unwrap();
        std::fs::create_dir_all(folder.join("full/of")).unwrap();
        let below = taken.join("below");
        let errors = [
            (disk.open(&missing, Transfer::Cached).await.unwrap_err(), Verb::Open, ErrorKind::NotFound),
            (disk.open_write(&missing, Transfer::Direct).await.unwrap_err(), Verb::Open, ErrorKind::NotFound),
            (
                disk.create(&taken, Transfer::Direct).await.unwrap_err(),
                Verb::Create,
                ErrorKind::AlreadyExists,
            ),
            (
                disk.create(&below, Transfer::Cached).await.unwrap_err(),
                Verb::Create,
                ErrorKind::NotADirectory,
            ),
            (disk.create_folder(&below).await.unwrap_err(), Verb::Mkdir, ErrorKind::NotADirectory),
            (disk.create_folder(&taken).await.unwrap_err(), Verb::Mkdir, ErrorKind::NotADirectory),
            (disk.list(&missing).await.unwrap_err(), Verb::List, ErrorKind::NotFound),
            (disk.list(&taken).await.unwrap_err(), Verb::List, ErrorKind::NotADirectory),
            (disk.rename(&missing, &taken).await.unwrap_err(), Verb::Rename, ErrorKind::NotFound),
            (disk.remove_file(&missing).await.unwrap_err(), Verb::Unlink, ErrorKind::NotFound),
            (disk.remove_folder(&taken).await.unwrap_err(), Verb::Rmdir, ErrorKind::NotADirectory),
            (
                disk.remove_folder(&folder.join("full")).await.unwrap_err(),
                Verb::Rmdir,
                ErrorKind::DirectoryNotEmpty,
            ),
            // What can't be opened was not asked to be synced: nothing is lost by that.
            (disk.sync_folder(&missing).await.unwrap_err(), Verb::Open, ErrorKind::NotFound),
            (disk.sync_folder(&taken).await.unwrap_err(), Verb::Open, ErrorKind::NotADirectory),
            (disk.sync_filesystem(&missing).await.unwrap_err(), Verb::Syncfs, ErrorKind::NotFound),
            (disk.touch(&missing.join("x")).await.unwrap_err(), Verb::Touch, ErrorKind::NotFound),
            (disk.space(&missing).await.unwrap_err(), Verb::Statfs, ErrorKind::NotFound),
        ];
        for (error, verb, kind) in errors {
            assert_eq!((error.verb, error.source.kind()), (verb, kind), "{error}");
            assert!(error.to_string().contains(folder.to_str().unwrap()), "{error}");
        }
        assert_eq!(disk.metadata(&missing).await.unwrap(), None);
        assert_eq!(disk.metadata(&below).await.unwrap(), None);
    });
}

#[test]
fn folders_are_made_with_their_parents_and_renamed_and_removed() {
    here(async |disk, folder| {
        let deep = folder.join("indexes/a/segments");
        disk.create_folder(&deep).await.unwrap();
        disk.create_folder(&deep).await.unwrap();
        disk.rename(&folder.join("indexes/a"), &folder.join("indexes/b")).await.unwrap();
        disk.remove_folder(&folder.join("indexes/b/segments")).await.unwrap();
        disk.sync_folder(&folder.join("indexes/b")).await.unwrap();
        disk.sync_filesystem(folder).await.unwrap();
        assert_eq!(names(&folder.join("indexes/b")), [""; 0]);
        // A data directory that is elsewhere.
        symlink(folder.join("indexes"), folder.join("link")).unwrap();
        disk.create_folder(&folder.join("link/c")).await.unwrap();
        disk.create_folder(&folder.join("link")).await.unwrap();
        assert_eq!(names(&folder.join("indexes")), ["b", "c"]);
    });
}

#[test]
fn a_file_keeps_its_bytes_when_its_name_changes_or_goes() {
    here(async |disk, folder| {
        let file = disk.create(&folder.join("a"), Transfer::Direct).await.unwrap();
        disk.rename(&folder.join("a"), &folder.join("b")).await.unwrap();
        file.write_at(AlignedBuf::copy_of(b"odd"), 4096).await.0.unwrap();
        disk.remove_file(&folder.join("b")).await.unwrap();
        file.sync().await.unwrap();
        assert_eq!(file.len().await.unwrap(), 4099);
        assert_eq!(file.path(), folder.join("a"));
        assert_eq!(names(folder), [""; 0]);
    });
}

#[test]
fn links_are_never_followed_to_a_file() {
    here(async |disk, folder| {
        std::fs::write(folder.join("secret"), "secret").unwrap();
        symlink(folder.join("secret"), folder.join("link")).unwrap();
        let link = folder.join("link");
        assert!(disk.open(&link, Transfer::Cached).await.is_err());
        assert!(disk.open_write(&link, Transfer::Direct).await.is_err());
        assert!(disk.create(&link, Transfer::Cached).await.is_err());
        assert!(disk.touch(&link).await.is_err());
        assert_eq!(disk.metadata(&link).await.unwrap().unwrap().kind, EntryKind::Other);
    });
}

#[test]
fn entries_come_sorted_with_their_kind_and_without_names_that_are_not_utf8() {
    here(async |disk, folder| {
        std::fs::write(folder.join("b"), "12345").unwrap();
        std::fs::create_dir(folder.join("a")).unwrap();
        symlink("nowhere", folder.join("c")).unwrap();
        std::fs::write(folder.join(OsStr::from_bytes(b"\xff\xfe")), "").unwrap();
        let entries = disk.list(folder).await.unwrap();
        let entries: Vec<_> = entries.iter().map(|entry| (entry.name.as_str(), entry.kind)).collect();
        assert_eq!(entries, [("a", EntryKind::Folder), ("b", EntryKind::File), ("c", EntryKind::Other)]);
        let file = disk.metadata(&folder.join("b")).await.unwrap().unwrap();
        assert_eq!((file.kind, file.len), (EntryKind::File, 5));
        assert_eq!(disk.metadata(&folder.join("a")).await.unwrap().unwrap().kind, EntryKind::Folder);
    });
}

#[test]
fn touching_creates_a_file_or_moves_its_time_and_nothing_else() {
    here(async |disk, folder| {
        let path = folder.join("last_read");
        disk.touch(&path).await.unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"");
        std::fs::write(&path, "kept").unwrap();
        let long_ago = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_millis(1_234_567);
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(long_ago).unwrap();
        assert_eq!(disk.metadata(&path).await.unwrap().unwrap().modified.0, 1_234_567);
        let before = clock::wall();
        disk.touch(&path).await.unwrap();
        let modified = disk.metadata(&path).await.unwrap().unwrap().modified;
        // The filesystem's clock ticks once in some milliseconds.
        assert!(modified.0 + 50 >= before.0 && modified <= clock::wall(), "{modified} {before}");
        assert_eq!(std::fs::read(&path).unwrap(), b"kept");
    });
}

#[test]
fn room_is_what_the_filesystem_has() {
    here(async |disk, folder| {
        let space = disk.space(folder).await.unwrap();
        assert!(space.available_bytes > 0 && space.available_bytes <= space.total_bytes);
        assert!(space.available_files > 0);
        let output =
            std::process::Command::new("stat").args(["-f", "-c", "%b %S"]).arg(folder).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (blocks, size) = text.trim().split_once(' ').unwrap();
        assert_eq!(space.total_bytes, blocks.parse::<u64>().unwrap() * size.parse::<u64>().unwrap());
    });
}
