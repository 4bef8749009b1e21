//! Packs: damaged, forged, and any bytes under a pack's name; and any names.

use std::path::Path;

use logtank_engine::error::Error;
use logtank_engine::format::{
    Cell, CodeHash, DIRECTORY_BYTES_MAX, HEAD_BYTES, PackName, RawName, SegmentName, SliceKind, is_temporary,
};
use logtank_engine::ids::{IndexCode, Position};
use logtank_engine::packs::{Cursor, NewSlice, OpenPack, OpenSlice, PackWriter, Stack, verify_pack};
use logtank_engine::testing::{MemDisk, raw_record, run};
use logtank_engine::time::WallMillis;

use crate::edits::{damage, mend};

const FOLDER: &str = "packs";
const NAME: &str = "0.0-8.0_0_all.base";

fn name() -> PackName {
    PackName::parse(NAME).expect("a good name")
}

/// The indexes of the good pack, in order, with their records.
fn model(long: bool) -> Vec<(IndexCode, Vec<Vec<u8>>)> {
    let text = "some text".repeat(if long { 1_000 } else { 1 });
    let records =
        |count: usize| (0..count).map(|number| raw_record("m", &format!("d-{number:02}"), Some(&text)));
    let code = |code: &str| IndexCode::new(code.as_bytes()).expect("a good code");
    let mut model: Vec<_> = [("one", 1), ("two", 2), ("three", 3), ("four", 9)]
        .map(|(name, count)| (code(name), records(count).collect()))
        .into();
    model.sort_by_key(|(code, _)| (CodeHash::of(code.as_str().as_bytes()), code.clone()));
    model
}

fn written(model: &[(IndexCode, Vec<Vec<u8>>)]) -> Vec<u8> {
    let disk = MemDisk::new();
    disk.put_folder(FOLDER);
    run(async {
        let (folder, name) = (Path::new(FOLDER), name());
        let mut writer =
            PackWriter::create(&disk, folder, name, WallMillis(1)).await.expect("the disk is well");
        for (code, records) in model {
            let (first, dropped) = (name.range().first(), name.range().end());
            let slice = NewSlice { code, kind: SliceKind::Base, first, dropped };
            writer.push(slice, records.iter().map(Vec::as_slice)).await.expect("the disk is well");
        }
        writer.publish().await.expect("the disk is well");
    });
    disk.get(Path::new(FOLDER).join(NAME)).expect("it was published")
}

/// Makes every checksum right that binds the place where it stands, and those of head and foot.
fn mend_all(bytes: &mut [u8], good: &[u8]) {
    mend(bytes, 0..64);
    let bound = |bytes: &mut [u8], at: usize, skipped: usize, end: usize| {
        let Some(covered) = bytes.get(at..end).map(<[u8]>::to_vec) else { return };
        // What stands at the checksum's place is not covered; of a label nothing before it is.
        let from = if skipped == 3 { &[][..] } else { &covered[..skipped] };
        let sum = [from, &covered[skipped + 4..]]
            .iter()
            .fold(crc32c::crc32c(&(at as u64).to_le_bytes()), |sum, part| crc32c::crc32c_append(sum, part));
        bytes[at + skipped..at + skipped + 4].copy_from_slice(&sum.to_le_bytes());
    };
    for at in HEAD_BYTES..good.len().saturating_sub(7) {
        // Where an item stands in the good pack, or the damaged one has what looks like it.
        if bytes.get(at) == Some(&b'S') && good[at] == b'S' {
            let length =
                bytes.get(at + 1..at + 3).map_or(0, |two| usize::from(u16::from_le_bytes([two[0], two[1]])));
            if length <= 256 {
                bound(bytes, at, 3, at + 7 + length);
            }
        }
        if good[at..].starts_with(b"D\0\0\0") && bytes.get(at + 4..at + 8).is_some() {
            let length = u32::from_le_bytes(bytes[at + 4..at + 8].try_into().expect("four bytes")) as usize;
            if (24..=DIRECTORY_BYTES_MAX).contains(&length) {
                bound(bytes, at, 20, at + length);
            }
        }
    }
    let Some(foot) = bytes.len().checked_sub(64) else { return };
    let field = |bytes: &[u8], at: usize, length: usize| {
        let mut wide = [0; 8];
        wide[..length].copy_from_slice(&bytes[foot + at..foot + at + length]);
        u64::from_le_bytes(wide)
    };
    let (offset, length) = (field(bytes, 8, 8), field(bytes, 16, 4));
    if offset.checked_add(length) == Some(foot as u64) {
        let fences = &bytes[usize::try_from(offset).expect("within the file")..foot];
        let sum = crc32c::crc32c_append(crc32c::crc32c(&offset.to_le_bytes()), fences);
        bytes[foot + 20..foot + 24].copy_from_slice(&sum.to_le_bytes());
    }
    if let Some(head) = bytes.get(64..68).map(<[u8]>::to_vec) {
        bytes[foot + 56..foot + 60].copy_from_slice(&head);
    }
    mend(bytes, foot..foot + 60);
}

/// The records of a slice, up to the first damage.
fn served(slice: &OpenSlice<MemDisk>) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(cut) = slice.cut(bytes.len() as u64, 4_096).filter(|cut| !cut.bytes().is_empty()) {
        match run(slice.read_raw(cut.bytes())) {
            Ok(read) => bytes.extend_from_slice(&read),
            Err(Error::Corrupt(_)) => break,
            Err(other) => panic!("the disk is well: {other}"),
        }
    }
    bytes
}

/// Only what was written is served of a damaged pack, to whom it belongs, and nobody is told that nothing is there; with any bytes
/// nothing panics.
pub(crate) fn pack(data: &[u8]) {
    let Some((&how, edits)) = data.split_first() else { return };
    let (forged, any, long, whole) = (how & 1 != 0, how & 2 != 0, how & 4 != 0, how & 8 != 0);
    let model = model(long);
    let good = written(&model);
    let bytes = if any {
        edits.to_vec()
    } else {
        // The head is long and mostly zero: mostly leave it alone.
        let mut bytes = good.clone();
        let mut after_head = bytes.split_off(if whole { 0 } else { HEAD_BYTES });
        damage(&mut after_head, edits);
        bytes.extend(after_head);
        if forged {
            mend_all(&mut bytes, &good);
        }
        bytes
    };
    let disk = MemDisk::new();
    disk.put_folder(FOLDER);
    disk.put(Path::new(FOLDER).join(NAME), &bytes);
    let findings = run(verify_pack(&disk, Path::new(FOLDER), name())).expect("the disk is well").findings;
    assert!(any || forged || bytes == good || !findings.is_empty(), "damage that is not found");
    let pack = match run(OpenPack::open(&disk, Path::new(FOLDER), name())) {
        Ok(pack) => pack,
        Err(Error::Corrupt(_)) => return,
        Err(other) => panic!("the disk is well: {other}"),
    };
    for (code, records) in &model {
        match run(pack.lookup(code)) {
            Ok(Some(slice)) => {
                assert_eq!(slice.code(), code, "records of another index");
                assert!(any || forged || records.concat().starts_with(&served(&slice)), "other records");
                served(&slice);
            }
            Ok(None) => assert!(any || forged, "{code} is there"),
            Err(Error::Corrupt(_)) => {}
            Err(other) => panic!("the disk is well: {other}"),
        }
    }
    let mut cursor = Cursor::new(&pack, Cell::ALL, 4_096);
    let mut before = None;
    loop {
        match run(cursor.advance()) {
            Ok(None) => break,
            Ok(Some(slice)) => {
                let key = Some((CodeHash::of(slice.code().as_str().as_bytes()), slice.code().clone()));
                assert!(before < key, "out of order");
                before = key;
            }
            Err(Error::Corrupt(_)) => {}
            Err(other) => panic!("the disk is well: {other}"),
        }
    }
}

/// Any lines as names: each means one thing, and what counts at a hash tiles the log.
pub(crate) fn pack_name(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut names: Vec<PackName> = Vec::new();
    for line in text.lines().take(64) {
        let Some(name) = PackName::parse(line) else { continue };
        assert_eq!(name.to_string(), line);
        assert!(RawName::parse(line).is_none() && SegmentName::parse(line).is_none() && !is_temporary(line));
        names.push(name);
    }
    names.sort_unstable();
    names.dedup();
    let checkpoint = names.iter().map(|name| name.range().end()).max().unwrap_or(Position::ZERO);
    let first = names.iter().map(|name| name.range().first()).min().unwrap_or(Position::ZERO);
    let stack = Stack::of(&names, checkpoint);
    let superseded: Vec<_> = stack.superseded().collect();
    for hash in names.iter().flat_map(|name| [name.cell().first(), name.cell().last()]) {
        let Ok(current) = stack.at(hash) else { continue };
        let mut end = first;
        for name in current {
            assert!(name.cell().holds(hash) && !superseded.contains(&name));
            assert_eq!(name.range().first(), end, "they tile the log");
            end = name.range().end();
        }
        assert_eq!(end, checkpoint, "up to its end");
    }
}
