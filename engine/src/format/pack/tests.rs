use proptest::prelude::*;

use super::*;
use crate::ids::{Epoch, Position};
use crate::time::WallMillis;

fn position(epoch: u64, ordinal: u32) -> Position {
    Position::new(Epoch::new(epoch).unwrap(), ordinal)
}

fn range() -> PackRange {
    PackRange::new(position(1_795_913_298_397, 0), position(1_795_913_300_983, 7)).unwrap()
}

fn recent() -> PackName {
    PackName::recent(range(), 3)
}

fn base() -> PackName {
    PackName::base(range(), 3, Cell::ALL)
}

fn entry(code: &[u8]) -> Entry<'_> {
    let kind = SliceKind::Unsorted;
    Entry { code, kind, bytes: 700, records: 9, checksum: 0x1234_5678, own_first: None, own_dropped: None }
}

fn encoded(entry: &Entry<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    entry.encode(&mut bytes);
    bytes
}

/// That `decode` finds each flipped bit of `bytes`, and each cut.
fn every_change_is_found(bytes: &[u8], is_good: impl Fn(&[u8]) -> bool) {
    assert!(is_good(bytes));
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.to_vec();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(!is_good(&damaged), "bit {bit}");
    }
    for length in 0..bytes.len() {
        assert!(!is_good(&bytes[..length]), "cut at {length}");
    }
}

#[test]
fn a_head_round_trips_and_each_changed_bit_is_found() {
    let cell = Cell::parse("0101").unwrap();
    for name in [recent(), base(), PackName::base(range(), u32::MAX, cell)] {
        let head = Head { name, created: WallMillis(1_795_913_301_000) };
        let bytes = head.encode();
        assert_eq!(Head::decode(&bytes), Ok(head));
    }
    let bytes = Head { name: base(), created: WallMillis(1) }.encode();
    every_change_is_found(&bytes, |bytes| bytes.try_into().is_ok_and(|head| Head::decode(head).is_ok()));
}

#[test]
fn a_foot_round_trips_and_each_changed_bit_is_found() {
    let foot = Foot::new(&(5_000..5_100), 1, 2, [3, 4, 5], 6);
    let bytes = foot.encode();
    assert_eq!(Foot::decode(&bytes, 5_164), Ok(foot));
    assert!(Foot::decode(&bytes, 5_165).is_err(), "of a longer file");
    every_change_is_found(&bytes, |bytes| {
        bytes.try_into().is_ok_and(|foot| Foot::decode(foot, 5_164).is_ok())
    });
}

#[test]
fn a_label_stands_only_where_it_was_written() {
    let entry = entry(b"m");
    let mut bytes = Vec::new();
    Label::encode(4_096, &encoded(&entry), &mut bytes);
    let label = Label::decode(&bytes, 4_096).unwrap();
    assert_eq!((label.entry, label.place.begin()), (entry, 4_096));
    assert_eq!(label.place.data().start, 4_096 + bytes.len() as u64);
    assert!(Label::decode(&bytes, 4_097).is_err());
    every_change_is_found(&bytes, |bytes| Label::decode(bytes, 4_096).is_ok());
}

/// A directory block of these entries, whose first label stands at 4096; where it stands, and its fence.
fn block(entries: &[Entry<'_>]) -> (Vec<u8>, u64, Vec<u8>) {
    let mut builder = DirectoryBuilder::default();
    let mut label = 4_096;
    for entry in entries {
        let length = encoded(entry).len();
        assert!(builder.has_room(length));
        builder.push(label, entry);
        label = Place::of(label, length, entry.bytes).unwrap().end();
    }
    let mut fences = FencesBuilder::default();
    fences.push(&builder.fence(label));
    let block = builder.finish(label);
    assert!(builder.is_empty());
    (block, label, fences.finish(0).0)
}

/// In the order of their hashes.
fn codes<const N: usize>(mut codes: [&'static str; N]) -> [&'static str; N] {
    codes.sort_by_key(|code| (CodeHash::of(code.as_bytes()), *code));
    codes
}

#[test]
fn a_directory_block_round_trips_and_each_change_is_found() {
    let [a, b, c] = codes(["one", "two", "three"]);
    let long = Entry { bytes: 200_000, ..entry(b.as_bytes()) };
    let own = Entry { own_first: Some(position(1_795_913_299_000, 1)), ..entry(c.as_bytes()) };
    let entries = [entry(a.as_bytes()), long, own];
    let (block, offset, _) = block(&entries);
    let directory = Directory::decode(&block, offset, &recent()).unwrap();
    let listed: Vec<_> = directory.slices().collect();
    assert_eq!(listed.iter().map(|listed| listed.entry).collect::<Vec<_>>(), entries);
    assert_eq!(listed[2].place.end(), offset);
    assert!(listed.windows(2).all(|pair| pair[0].place.end() == pair[1].place.begin()));
    assert_eq!(Directory::length(&block), Some(block.len()));
    assert!(Directory::decode(&block, offset + 1, &recent()).is_err(), "of another place");
    every_change_is_found(&block, |block| Directory::decode(block, offset, &recent()).is_ok());
}

#[test]
fn a_directory_block_out_of_order_is_refused() {
    let [a, b] = codes(["one", "two"]);
    for [first, second] in [[b, a], [a, a]] {
        let (block, offset, _) = block(&[entry(first.as_bytes()), entry(second.as_bytes())]);
        let error = Directory::decode(&block, offset, &recent()).unwrap_err();
        assert_eq!(error.what, "the directory block is out of order");
    }
}

#[test]
fn an_entry_that_cannot_be_in_the_pack_is_refused() {
    let good = Entry { kind: SliceKind::Base, ..entry(b"m") };
    good.check(&base()).unwrap();
    let (first, end) = (range().first(), range().end());
    let empty = Entry { bytes: 0, records: 0, ..good };
    empty.check(&base()).unwrap();
    for (wrong, pack) in [
        (good, recent()),
        (good, PackName::base(range(), 0, Cell::new(!good.hash().value() & 1 << 31, 1).unwrap())),
        (Entry { own_first: Some(first), ..good }, base()),
        (Entry { own_first: Some(end), ..good }, base()),
        (Entry { own_dropped: Some(end), ..good }, base()),
        (Entry { own_dropped: Some(first), ..entry(b"m") }, base()),
        (Entry { records: 701, ..good }, base()),
        (Entry { records: 0, ..good }, base()),
        (Entry { kind: SliceKind::Sorted, ..empty }, base()),
    ] {
        assert!(wrong.check(&pack).is_err(), "{wrong:?} in {pack}");
    }
    assert_eq!((good.first(&base()), good.dropped(&base())), (first, end));
    assert_eq!(entry(b"m").dropped(&recent()), Position::ZERO);
}

#[test]
fn fences_find_the_block_and_each_change_is_found() {
    let [a, b, c, d] = codes(["one", "two", "three", "four"]);
    let mut builder = FencesBuilder::default();
    for (number, code) in [b, c].into_iter().enumerate() {
        builder.push(&super::fence::Fence::new(8_000 + 1_000 * number as u64, 100, 70_000, code.as_bytes()));
    }
    let (bytes, checksum, blocks) = builder.finish(9_100);
    let foot = Foot::new(&(9_100..9_100 + bytes.len() as u64), checksum, blocks, [0; 3], 0);
    let fences = Fences::decode(bytes.clone(), &foot, &recent()).unwrap();
    let found = [a, b, c, d].map(|code| fences.find(code.as_bytes()));
    assert_eq!(found, [None, Some(0), Some(1), Some(1)]);
    assert_eq!((fences.begin(0), fences.begin(1), fences.get(1).end()), (4_096, 8_100, 9_100));
    assert_eq!(fences.get(0).longest_bytes(), 70_656);
    every_change_is_found(&bytes, |bytes| Fences::decode(bytes.to_vec(), &foot, &recent()).is_ok());
    let elsewhere = Foot { fences_offset: 9_101, ..foot };
    assert!(Fences::decode(bytes, &elsewhere, &recent()).is_err());
}

#[test]
fn hashes_of_codes_stay_what_they_are() {
    // They decide in which file an index is: other values need another version of the format.
    for (code, hash) in
        [("m", 0xfcdd_3f45), ("index-1", 0x2a55_9454), ("index-2", 0x967a_d7b6), ("A-b_c.9", 0x8d91_e589)]
    {
        assert_eq!(CodeHash::of(code.as_bytes()).value(), hash, "{code}");
    }
}

fn any_entry() -> impl Strategy<Value = (String, SliceKind, u64, u64, u32, Option<u64>, Option<u64>)> {
    let kind = prop_oneof![Just(SliceKind::Unsorted), Just(SliceKind::Sorted), Just(SliceKind::Base)];
    let position = || prop::option::of(any::<u64>());
    (
        "[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}",
        kind,
        any::<u64>(),
        any::<u64>(),
        any::<u32>(),
        position(),
        position(),
    )
}

proptest! {
    #[test]
    fn any_entry_round_trips((code, kind, bytes, records, checksum, first, dropped) in any_entry(), behind: u8) {
        let [own_first, own_dropped] = [first, dropped].map(|packed| packed.map(Position::from_packed));
        let entry = Entry { code: code.as_bytes(), kind, bytes, records, checksum, own_first, own_dropped };
        let mut bytes = encoded(&entry);
        let length = bytes.len();
        prop_assert!(length <= super::entry::ENTRY_BYTES_MAX);
        bytes.push(behind);
        prop_assert_eq!(Entry::decode(&bytes), Ok((entry, length)));
        for cut in 0..length {
            prop_assert!(Entry::decode(&bytes[..cut]).is_err());
        }
    }

    #[test]
    fn any_bytes_are_refused_or_mean_the_same_again(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok((entry, length)) = Entry::decode(&bytes) {
            prop_assert_eq!(encoded(&entry), &bytes[..length]);
        }
        let _ = (Label::decode(&bytes, 4_096), Directory::decode(&bytes, 4_096, &recent()));
    }
}
