use super::support::{FOLDER, Model, NAME, empty_disk, key, name, open, read, record, unsorted, write};
use crate::error::Error;
use crate::format::pack::{Cell, HEAD_BYTES};
use crate::limits::SIDECAR_BLOCK_BYTES;
use crate::packs::cursor::Cursor;
use crate::packs::verify::verify_pack;
use crate::testing::{MemDisk, run};
use std::collections::BTreeSet;
use std::path::Path;

/// A few short slices.
fn small() -> Model {
    ["one", "two", "three"]
        .into_iter()
        .enumerate()
        .map(|(number, code)| (key(code), unsorted((0..=number).map(|docid| record(docid, 5)).collect())))
        .collect()
}

fn written(model: &Model) -> Vec<u8> {
    let disk = empty_disk();
    write(&disk, name(NAME), model);
    disk.get(Path::new(FOLDER).join(NAME)).unwrap()
}

fn disk_with(bytes: &[u8]) -> MemDisk {
    let disk = empty_disk();
    disk.put(Path::new(FOLDER).join(NAME), bytes);
    disk
}

/// The indexes that can't be read from these bytes. What can be read is what was written, by the cursor and by lookups.
fn unreadable(bytes: &[u8], model: &Model) -> BTreeSet<String> {
    let disk = disk_with(bytes);
    let mut unreadable: BTreeSet<_> = model.keys().map(|(_, code)| code.to_string()).collect();
    let Ok(pack) = open(&disk, name(NAME)) else { return unreadable };
    let mut cursor = Cursor::new(&pack, Cell::ALL, 4_096);
    for calls in 0.. {
        assert!(calls <= model.len(), "a cursor goes on after damage");
        match run(cursor.advance()) {
            Ok(None) => break,
            Ok(Some(slice)) => {
                if let Ok(read) = read(&slice, 1 << 20) {
                    assert!(read == model[&key(slice.code().as_str())].bytes());
                    assert!(unreadable.remove(slice.code().as_str()), "once");
                }
            }
            Err(Error::Corrupt(_)) => {}
            Err(error) => panic!("the disk is well: {error}"),
        }
    }
    // Of many, some are looked up: each takes a directory block.
    let step = model.len().div_ceil(40);
    let damaged = |code: &str| unreadable.len() < 10 && unreadable.contains(code);
    for (number, ((_, code), expected)) in model.iter().enumerate() {
        if number % step != 0 && !damaged(code.as_str()) {
            continue;
        }
        let read = match run(pack.lookup(code)) {
            Ok(slice) => read(&slice.expect("never taken for an index that is not there"), 1 << 20),
            Err(error) => Err(error),
        };
        assert_eq!(read.is_err(), unreadable.contains(code.as_str()), "{code}: lookup and cursor differ");
        match read {
            Ok(read) => assert!(read == expected.bytes(), "{code}: other records"),
            Err(error) => assert!(matches!(error, Error::Corrupt(_)), "the disk is well: {error}"),
        }
    }
    unreadable
}

fn findings(bytes: &[u8]) -> usize {
    run(verify_pack(&disk_with(bytes), Path::new(FOLDER), name(NAME))).unwrap().findings.len()
}

#[test]
fn every_flipped_bit_is_found_and_costs_one_slice_at_most() {
    let (model, bytes) = (small(), written(&small()));
    assert_eq!((findings(&bytes), unreadable(&bytes, &model).len()), (0, 0));
    for bit in 0..bytes.len() * 8 {
        // Of the zeros after the head one bit of each byte will do.
        if (72..HEAD_BYTES).contains(&(bit / 8)) && bit % 8 != bit / 8 % 8 {
            continue;
        }
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(findings(&damaged) > 0, "bit {bit} is not found");
        if (72..HEAD_BYTES - 8).contains(&(bit / 8)) {
            continue;
        }
        let lost = unreadable(&damaged, &model);
        assert!(lost.len() <= 1, "bit {bit} costs {lost:?}");
        assert!(bit / 8 >= HEAD_BYTES || lost.is_empty(), "bit {bit} of the head costs {lost:?}");
    }
}

#[test]
fn every_cut_is_found_and_nothing_is_taken_for_absent() {
    let (model, bytes) = (small(), written(&small()));
    for length in (0..HEAD_BYTES).step_by(64).chain(HEAD_BYTES..bytes.len()) {
        assert!(findings(&bytes[..length]) > 0, "cut at {length}");
        unreadable(&bytes[..length], &model);
        // As a filesystem leaves it after a power cut: the length is there, the last bytes are not.
        let mut zeroed = bytes[..length].to_vec();
        let end = length.saturating_sub(64);
        zeroed[end..].fill(0);
        assert!(findings(&zeroed) > 0, "cut at {length}, then zeros");
        unreadable(&zeroed, &model);
    }
    for more in [1, 63, 64, 4_096] {
        let longer = [bytes.clone(), vec![0; more]].concat();
        assert!(findings(&longer) > 0, "{more} bytes more");
        unreadable(&longer, &model);
    }
}

/// Two long slices between short ones, in more than one directory block.
fn large() -> Model {
    let many = |records| (0..records).map(|docid| record(docid, 1_000)).collect();
    (0..2_000)
        .map(|number| (key(&format!("index-{number:030}")), unsorted(vec![record(number, 9)])))
        .chain([(key("long"), unsorted(many(300))), (key("longer"), unsorted(many(500)))])
        .collect()
}

#[test]
fn a_damaged_block_of_a_long_slice_costs_its_pages_only() {
    let (model, bytes) = (large(), written(&large()));
    let disk = disk_with(&bytes);
    let pack = open(&disk, name(NAME)).unwrap();
    let slice = run(pack.lookup(&key("long").1)).unwrap().unwrap();
    let data = slice.data();
    let block = SIDECAR_BLOCK_BYTES as u64;
    let mut damaged = bytes.clone();
    damaged[(data.start + block + 77) as usize] ^= 4;
    let disk = disk_with(&damaged);
    let verified = run(verify_pack(&disk, Path::new(FOLDER), name(NAME))).unwrap();
    assert_eq!(verified.findings.len(), 1);
    let finding = &verified.findings[0];
    assert_eq!(finding.offset, data.start + block);
    assert_eq!(finding.what, "index long: the block's checksum does not match");
    let slice = run(open(&disk, name(NAME)).unwrap().lookup(&key("long").1)).unwrap().unwrap();
    let expected = model[&key("long")].bytes();
    let (mut at, mut lost) = (0, 0);
    while let Some(cut) = slice.cut(at, block).filter(|cut| !cut.bytes().is_empty()) {
        match run(slice.read_raw(cut.bytes())) {
            Ok(read) => assert!(*read == expected[at as usize..cut.bytes().end as usize]),
            Err(_) => lost += 1,
        }
        at = cut.bytes().end;
    }
    assert!((1..=2).contains(&lost), "{lost} pages touch the block");
    assert!(unreadable(&damaged, &model) == BTreeSet::from(["long".to_owned()]));
}

#[test]
fn a_damaged_directory_block_is_made_again_from_the_labels() {
    let (model, bytes) = (large(), written(&large()));
    let fences = open(&disk_with(&bytes), name(NAME)).unwrap().fences().clone();
    assert!(fences.len() > 3);
    for number in 0..fences.len() {
        let mut damaged = bytes.clone();
        damaged[fences.get(number).offset() as usize + 100] ^= 1;
        assert_eq!(unreadable(&damaged, &model), BTreeSet::new());
        assert_eq!(findings(&damaged), 1, "it is said, once");
        // A label besides: of these indexes nothing can be said.
        damaged[fences.begin(number) as usize + 3] ^= 1;
        let lost = unreadable(&damaged, &model).len();
        assert!(lost > 50 && lost < model.len() / 2, "{lost}");
    }
}

#[test]
fn damaged_fences_and_a_damaged_foot_are_made_again() {
    let (model, bytes) = (large(), written(&large()));
    let fences = open(&disk_with(&bytes), name(NAME)).unwrap().foot().unwrap().fences();
    for place in [fences.start, fences.end - 1, fences.end, fences.end + 63] {
        let mut damaged = bytes.clone();
        damaged[place as usize] ^= 0x10;
        assert_eq!(unreadable(&damaged, &model), BTreeSet::new(), "byte {place}");
        assert_eq!(findings(&damaged), 1);
        // Besides a directory block, nothing may be said of what is not there.
        damaged[fences.start as usize - 1] ^= 1;
        assert_eq!(unreadable(&damaged, &model).len(), model.len());
    }
}

#[test]
fn an_empty_pack_whose_foot_is_damaged_is_refused() {
    // What it holds can't be told from a file that was cut off there.
    let mut bytes = written(&Model::new());
    let end = bytes.len() - 1;
    bytes[end] ^= 1;
    let error = open(&disk_with(&bytes), name(NAME)).err().unwrap().to_string();
    assert!(error.contains("the checksum of the foot does not match"), "{error}");
    assert!(error.contains("neither the fences nor the foot"), "{error}");
}

#[test]
fn a_pack_under_the_name_of_another_is_refused() {
    let bytes = written(&small());
    let disk = empty_disk();
    for other in ["7.0-8.0_1_all.recent", "6.0-8.0_0_all.recent", "7.0-8.0_0_all.base"] {
        disk.put(Path::new(FOLDER).join(other), &bytes);
        let error = open(&disk, name(other)).err().unwrap().to_string();
        assert!(error.contains(&format!("the head is that of the pack {NAME}")), "{error}");
    }
}

#[test]
fn head_and_foot_of_two_packs_are_not_taken_for_one() {
    let (bytes, other) = (written(&small()), written(&Model::new()));
    let disk = empty_disk();
    let mut head = other[..HEAD_BYTES].to_vec();
    head[48] ^= 1;
    let sum = crc32c::crc32c(&head[..64]);
    head[64..68].copy_from_slice(&sum.to_le_bytes());
    disk.put(Path::new(FOLDER).join(NAME), &[&head, &bytes[HEAD_BYTES..]].concat());
    let error = open(&disk, name(NAME)).err().unwrap().to_string();
    assert!(error.contains("head and foot are not of one pack"), "{error}");
}
