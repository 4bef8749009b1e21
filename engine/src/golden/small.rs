//! The small files: checkpoint, list of unarchived epochs, deletions, lost positions, identities.

use crate::testing::store;
use std::path::Path;

use super::files::{names, put, read, same};
use crate::deletions::{archive, load_one, publish};
use crate::error::Error;
use crate::format::checkpoint::Checkpoint;
use crate::format::layout::Layout;
use crate::identity::{Identity, Written};
use crate::ids::{Epoch, IndexCode, Position};
use crate::raw_log::read::lost::Lost;
use crate::raw_log::recover::stray::{read_unarchived, write_unarchived};
use crate::testing::{MemDisk, run};

const EPOCH: u64 = 1_795_343_512_642;

fn epoch(millis: u64) -> Epoch {
    Epoch::new(millis).unwrap()
}

fn layout() -> Layout {
    Layout::new(Path::new("/data"), None)
}

fn code() -> IndexCode {
    IndexCode::new(b"m").unwrap()
}

/// A data directory with nothing in it.
fn empty() -> MemDisk {
    let disk = MemDisk::new();
    disk.put("/data/safe_to_read", b"");
    disk
}

fn deletion() -> Position {
    Position::new(epoch(EPOCH), 17)
}

fn lost() -> [(&'static str, Lost); 2] {
    let gaps = vec![(0, 3), (10, 11), (1 << 21, 1 << 22)];
    [
        ("gaps", Lost { epoch: epoch(EPOCH), gaps }),
        ("nothing", Lost { epoch: epoch(EPOCH), gaps: Vec::new() }),
    ]
}

fn identities() -> [(&'static str, Written); 2] {
    let identity = Identity::new([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255]);
    [("pending", Written::Pending(identity)), ("final", Written::Final(identity))]
}

#[test]
fn checkpoints_are_written_and_read() {
    let disk = empty();
    run(Checkpoint::advance(&store(&disk, &layout()), epoch(EPOCH))).unwrap();
    same("checkpoint/good", &disk.get(layout().checkpoint()).unwrap());
    let read =
        |path: &str| run(Checkpoint::read(&store(&put(path, layout().checkpoint()), &layout()))).unwrap();
    assert_eq!(read("checkpoint/good"), Checkpoint::At(epoch(EPOCH)));
    for (name, bytes, expected) in [
        ("empty", String::new(), "the file is empty"),
        ("word", "1795343512642x".to_owned(), "not a number of milliseconds before the year 2109"),
        ("out-of-range", "4398046511104".to_owned(), "not a number of milliseconds before the year 2109"),
        ("long", "1".repeat(65), "too long for a number"),
        ("zeros", "\0".repeat(13), "not a number of milliseconds before the year 2109"),
    ] {
        let path = format!("checkpoint/damaged/{name}");
        same(&path, bytes.as_bytes());
        let Checkpoint::Unreadable(corruption) = read(&path) else { panic!("{name} is read") };
        assert_eq!(corruption.what, format!("{expected}; the dealer mends it when it starts"), "{name}");
    }
    assert_eq!(names("checkpoint/damaged").len(), 5);
}

#[test]
fn unarchived_epochs_are_written_and_read() {
    let disk = empty();
    let epochs = [epoch(EPOCH), epoch(EPOCH + 1)].into();
    run(write_unarchived(&store(&disk, &layout()), &epochs)).unwrap();
    same("unarchived/good", &disk.get(layout().unarchived()).unwrap());
    let read =
        |path: &str| run(read_unarchived(&store(&put(path, layout().unarchived()), &layout()))).unwrap();
    assert_eq!(read("unarchived/good"), epochs);
    // It only ever adds to what is known to be dealt: where it says nothing, the segments stay in raw/live.
    for (name, bytes) in
        [("word", &b"1795343512642x\n"[..]), ("out-of-range", b"4398046511104\n"), ("no-text", b"\xff\n")]
    {
        let path = format!("unarchived/damaged/{name}");
        same(&path, bytes);
        assert_eq!(read(&path), [].into(), "{name}");
    }
    assert_eq!(names("unarchived/damaged").len(), 3);
}

#[test]
fn deletions_are_written_and_read() {
    let disk = empty();
    run(publish(&store(&disk, &layout()), &code(), deletion())).unwrap();
    same("deletion/good/m", &disk.get(layout().deletion(&code())).unwrap());
    let read = |path: &str| run(load_one(&store(&put(path, layout().deletion(&code())), &layout()), &code()));
    assert_eq!(read("deletion/good/m").unwrap(), Some(deletion()));
    let good = String::from_utf8(super::files::read("deletion/good/m")).unwrap();
    for (name, bytes) in [
        ("empty", String::new()),
        ("epoch", good.replacen('1', "2", 1)),
        ("ordinal", good.replacen(" 17 ", " 18 ", 1)),
        ("checksum", good.replace('\n', "0\n")),
        ("cut", good[..20].to_owned()),
        ("no-newline", good.trim_end().to_owned()),
        ("long", format!("{good}{good}{good}")),
        ("of-another-index", {
            let disk = empty();
            let other = IndexCode::new(b"n").unwrap();
            run(publish(&store(&disk, &layout()), &other, deletion())).unwrap();
            String::from_utf8(disk.get(layout().deletion(&other)).unwrap()).unwrap()
        }),
    ] {
        let path = format!("deletion/damaged/{name}");
        same(&path, bytes.as_bytes());
        let Err(Error::Corrupt(corruption)) = read(&path) else { panic!("{name} is read") };
        let what =
            "no deletion with a valid checksum; delete the index again, or remove this file to keep it";
        assert_eq!(
            (corruption.path, corruption.what),
            (layout().deletion(&code()), what.to_owned()),
            "{name}"
        );
    }
    assert_eq!(names("deletion/damaged").len(), 8);
}

#[test]
fn deletions_beside_history_are_read_by_their_name() {
    let name = "1795343512642-17-m.deleted";
    let golden = format!("deletion/history/{name}");
    same(&golden, &read("deletion/good/m"));
    let verify = |name: &str| {
        run(archive::verify(&store(&put(&golden, layout().raw_history().join(name)), &layout())))
    };
    let (files, damaged) = verify(name).unwrap();
    assert_eq!((files, damaged.len()), (1, 0));
    for other in ["1795343512642-18-m.deleted", "1795343512641-17-m.deleted", "1795343512642-17-n.deleted"] {
        let (_, damaged) = verify(other).unwrap();
        assert!(damaged[0].what.starts_with("no deletion with a valid checksum"), "{other}");
    }
}

#[test]
fn lost_positions_are_written_and_read() {
    for (name, lost) in lost() {
        let path = format!("lost/good/{name}.lost");
        same(&path, lost.encode().as_bytes());
        assert_eq!(Lost::decode(epoch(EPOCH), &read(&path)), Ok(lost), "{name}");
    }
    let good = String::from_utf8(read("lost/good/gaps.lost")).unwrap();
    let forged = |body: &str| format!("{body}end {}\n", crc32c::crc32c(body.as_bytes())).into_bytes();
    for (name, bytes, at, what) in [
        ("empty", Vec::new(), 0, "the last line is cut off"),
        ("cut-in-a-line", good.as_bytes()[..good.len() - 1].to_vec(), 39, "the last line is cut off"),
        ("cut-after-a-line", good.as_bytes()[..9].to_vec(), 4, "the checksum does not match"),
        ("flipped", good.replacen('3', "4", 1).into_bytes(), 25, "the checksum does not match"),
        ("no-text", [good.as_bytes(), b"\xff\n"].concat(), 40, "not text"),
        ("touching", forged("5 1\n6 1\n"), 4, "\"6 1\" is not the next gap"),
        ("backwards", forged("5 1\n2 1\n"), 4, "\"2 1\" is not the next gap"),
        ("no-record", forged("5 0\n"), 0, "\"5 0\" is not the next gap"),
        ("out-of-range", forged("4194304 1\n"), 0, "\"4194304 1\" is not the next gap"),
    ] {
        let path = format!("lost/damaged/{name}.lost");
        same(&path, &bytes);
        assert_eq!(Lost::decode(epoch(EPOCH), &read(&path)), Err((at, what.to_owned())), "{name}");
    }
    assert_eq!(names("lost/damaged").len(), 9);
}

#[test]
fn identities_are_written_and_read() {
    for (name, written) in identities() {
        let path = format!("identity/good/{name}");
        same(&path, written.encode().as_bytes());
        assert_eq!(Written::decode(&read(&path)), Ok(written), "{name}");
    }
    let good = String::from_utf8(read("identity/good/final")).unwrap();
    let line = good.split_inclusive('\n').next().unwrap().to_owned();
    let short = format!("final {}\n", "0".repeat(31));
    for (name, bytes, at, what) in [
        ("empty", String::new().into_bytes(), 0, "the first line is cut off".to_owned()),
        ("cut-in-the-line", good.as_bytes()[..20].to_vec(), 0, "the first line is cut off".to_owned()),
        ("cut-after-the-line", line.clone().into_bytes(), 39, "the checksum does not match".to_owned()),
        ("flipped", good.replacen('0', "1", 1).into_bytes(), 39, "the checksum does not match".to_owned()),
        ("state", good.replacen("final", "ended", 1).into_bytes(), 0, {
            format!("{:?} is no identity", line.trim_end().replacen("final", "ended", 1))
        }),
        ("short", short.clone().into_bytes(), 0, format!("{:?} is no identity", short.trim_end())),
        ("no-text", [good.as_bytes(), b"\xff"].concat(), 54, "not text".to_owned()),
    ] {
        let path = format!("identity/damaged/{name}");
        same(&path, &bytes);
        assert_eq!(Written::decode(&read(&path)), Err((at, what)), "{name}");
    }
    assert_eq!(names("identity/damaged").len(), 7);
}
