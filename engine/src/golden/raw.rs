//! Raw segments: version 2, which is written, and both kinds of version 1.

use super::files::{folder, names, put, read, same};
use super::shard::{BATCHES, EPOCH, segments};
use crate::format::frame_indexes::FrameIndexes;
use crate::format::raw::{FRAMES_OFFSET, HEADER_BYTES, Header, Salt, Seal, SealedBy};
use crate::ids::{Epoch, Position, ShardId};
use crate::io::disk::Transfer;
use crate::raw_log::read::scan::{EndReason, SegmentScan};
use crate::raw_log::write::config::AppendMode;
use crate::testing::{raw_record, run};
use crate::time::WallMillis;

/// The second epoch: when the first was closed.
const NEXT: u64 = EPOCH + 30;

const fn shard_of(append: AppendMode) -> u16 {
    match append {
        AppendMode::Buffered => 3,
        AppendMode::Direct => 4,
    }
}

fn epoch(millis: u64) -> Epoch {
    Epoch::new(millis).unwrap()
}

fn file(epoch: u64, append: AppendMode) -> String {
    format!("{epoch}-{}-0.rawlog", shard_of(append))
}

#[test]
fn segments_are_written_as_in_version_2() {
    for append in [AppendMode::Buffered, AppendMode::Direct] {
        let [sealed, open] = segments(shard_of(append), append);
        same(&format!("raw/v2/{}", file(EPOCH, append)), &sealed);
        same(&format!("raw/v2/{}", file(NEXT, append)), &open);
    }
}

/// What a scan of a golden file finds.
struct Found {
    header: Header,
    seal: Option<Seal>,
    /// First position, time and records of each frame.
    frames: Vec<(Position, Option<WallMillis>, Vec<Vec<u8>>)>,
    end: EndReason,
}

fn scan(path: &str) -> Result<Found, String> {
    let name = std::path::Path::new("/data/raw/live").join(path.rsplit('/').next().unwrap());
    let disk = put(path, &name);
    run(async {
        let mut scan =
            SegmentScan::open(&disk, &name, Transfer::Cached).await.map_err(|error| error.to_string())?;
        let (header, seal) = (*scan.header().unwrap(), scan.seal().copied());
        let mut frames = Vec::new();
        while let Some(frame) = scan.next_frame().await.map_err(|error| error.to_string())? {
            let records = frame.records().map(|record| record.unwrap().bytes.to_vec()).collect();
            frames.push((frame.first, frame.time, records));
        }
        Ok(Found { header, seal, frames, end: scan.end().unwrap().reason })
    })
}

fn records(batch: usize) -> Vec<Vec<u8>> {
    BATCHES[batch].iter().map(|(code, docid, text)| raw_record(code, docid, *text)).collect()
}

#[test]
fn segments_of_both_versions_say_what_was_written() {
    for (version, append) in [
        (1, AppendMode::Buffered),
        (1, AppendMode::Direct),
        (2, AppendMode::Buffered),
        (2, AppendMode::Direct),
    ] {
        let block_bytes = u32::try_from(append.block_bytes()).unwrap();
        let first = Position::new(epoch(EPOCH), 0);
        let sealed = scan(&format!("raw/v{version}/{}", file(EPOCH, append))).unwrap();
        let header = Header {
            version,
            block_bytes,
            epoch: epoch(EPOCH),
            shard: ShardId(shard_of(append)),
            part: 0,
            salt: Salt(0x0123_4567_89ab_cdef),
            created: WallMillis(EPOCH + 10),
            file_bytes: 32_768,
            follows: None,
        };
        assert_eq!(sealed.header, header);
        assert_eq!(
            sealed.frames,
            [
                (first, Some(WallMillis(EPOCH + 10)), records(0)),
                (first.advanced(2), Some(WallMillis(EPOCH + 20)), records(1)),
            ]
        );
        let seal = sealed.seal.unwrap();
        let end = match (version, append) {
            (_, AppendMode::Direct) => FRAMES_OFFSET + 2 * 4096,
            (1, AppendMode::Buffered) => FRAMES_OFFSET + 208,
            (_, AppendMode::Buffered) => FRAMES_OFFSET + 272,
        };
        let expected = Seal {
            salt: header.salt,
            epoch: header.epoch,
            end,
            frames: 2,
            records: 3,
            epoch_records: Some(3),
            // Version 1 did not know the last epoch of the process before.
            previous: (version == 2).then(|| epoch(EPOCH - 7)),
            sealed_by: SealedBy::Writer,
            sealed: WallMillis(EPOCH + 30),
        };
        assert_eq!((seal, sealed.end), (expected, EndReason::Complete));

        let open = scan(&format!("raw/v{version}/{}", file(NEXT, append))).unwrap();
        let header = Header {
            epoch: epoch(NEXT),
            salt: Salt(header.salt.0 + 1),
            created: WallMillis(EPOCH + 40),
            follows: Some(first.advanced(2)),
            ..header
        };
        assert_eq!((open.header, open.seal, open.end), (header, None, EndReason::Zero));
        let only = (Position::new(epoch(NEXT), 0), Some(WallMillis(EPOCH + 40)), records(2));
        assert_eq!(open.frames, [only]);
    }
}

/// From which bytes on a checksum covers bytes, where it stands, and what of the salt is in it.
fn mend(bytes: &mut [u8], block: usize, checksum: usize) {
    let sum = crc32c::crc32c(&bytes[block..block + checksum]);
    bytes[block + checksum..block + checksum + 4].copy_from_slice(&sum.to_le_bytes());
}

/// The header's and the seal's.
fn mend_blocks(bytes: &mut [u8]) {
    mend(bytes, 0, 64);
    mend(bytes, HEADER_BYTES, 72);
}

/// Of the frame of version 2 that begins at `at`.
fn mend_frame(bytes: &mut [u8], at: usize) {
    let salt = bytes[32..40].to_vec();
    let payload = u32::from_le_bytes(bytes[at + 4..at + 8].try_into().unwrap()) as usize;
    let frame = &mut bytes[at..at + 64 + payload];
    let begin = crc32c::crc32c_append(crc32c::crc32c(&salt), &frame[..8]);
    let header = crc32c::crc32c_append(begin, &frame[12..60]);
    frame[60..64].copy_from_slice(&header.to_le_bytes());
    let whole = crc32c::crc32c_append(begin, &frame[12..]);
    frame[8..12].copy_from_slice(&whole.to_le_bytes());
}

const SEAL: usize = HEADER_BYTES;
const FIRST: usize = FRAMES_OFFSET as usize;

/// A damaged file: its name, whether the good one is the sealed segment, what was done to it, and what is said of it.
type Damaged = (&'static str, bool, fn(&mut Vec<u8>), &'static str);

const DAMAGED: [Damaged; 24] = [
    ("header-empty", true, |bytes| bytes[..HEADER_BYTES].fill(0), "byte 0: header: the block is empty"),
    ("header-magic", true, |bytes| bytes[0] ^= 1, "byte 0: header: the block has no magic number"),
    ("header-checksum", true, |bytes| bytes[20] ^= 1, "byte 0: header: the block's checksum does not match"),
    (
        "header-version",
        true,
        |bytes| {
            bytes[8] = 3;
            mend_blocks(bytes);
        },
        "byte 0: header: the segment has version 3, this program reads versions 1 and 2",
    ),
    (
        "header-block-size",
        true,
        |bytes| {
            bytes[12] = 24;
            mend_blocks(bytes);
        },
        "byte 0: header: the block's block size is out of range",
    ),
    (
        "header-epoch",
        true,
        |bytes| {
            bytes[22] = 255;
            mend_blocks(bytes);
        },
        "byte 0: header: the block's epoch is out of range",
    ),
    (
        "header-shard",
        true,
        |bytes| {
            bytes[26] = 1;
            mend_blocks(bytes);
        },
        "byte 0: header: the block's shard is out of range",
    ),
    ("header-torn", true, |bytes| bytes.truncate(40), "byte 0: header: the block's checksum does not match"),
    ("seal-magic", true, |bytes| bytes[SEAL] ^= 1, "seal: the block has no magic number"),
    ("seal-checksum", true, |bytes| bytes[SEAL + 30] ^= 1, "seal: the block's checksum does not match"),
    (
        "seal-of-an-earlier-use",
        true,
        |bytes| {
            bytes[SEAL + 8] ^= 1;
            mend_blocks(bytes);
        },
        "seal: the block belongs to an earlier use of the file",
    ),
    (
        "seal-end",
        true,
        |bytes| {
            bytes[SEAL + 26] = 255;
            mend_blocks(bytes);
        },
        "seal: the block's end is out of range",
    ),
    (
        "seal-sealed-by",
        true,
        |bytes| {
            bytes[SEAL + 52] = 3;
            mend_blocks(bytes);
        },
        "seal: the block's sealed by is out of range",
    ),
    (
        "seal-previous",
        true,
        |bytes| {
            bytes[SEAL + 70] = 255;
            mend_blocks(bytes);
        },
        "seal: the block's previous epoch is out of range",
    ),
    (
        "seal-frames",
        true,
        |bytes| {
            bytes[SEAL + 32] = 3;
            mend_blocks(bytes);
        },
        "byte 4096: the seal counts 3 frames and 3 records, 2 and 3 are there",
    ),
    ("frame-magic", true, |bytes| bytes[FIRST] ^= 1, "byte 8192: no frame begins here"),
    (
        "frame-checksum",
        true,
        |bytes| bytes[FIRST + 70] ^= 1,
        "byte 8192: the frame's checksum does not match",
    ),
    ("frame-length", true, |bytes| bytes[FIRST + 7] = 1, "byte 8192: the frame's length is out of range"),
    (
        "frame-records",
        true,
        |bytes| {
            bytes[FIRST + 12] = 0;
            mend_frame(bytes, FIRST);
        },
        "byte 8192: the frame's record count is out of range",
    ),
    (
        "frame-of-another-epoch",
        true,
        |bytes| {
            bytes[FIRST + 19] ^= 1;
            mend_frame(bytes, FIRST);
        },
        "byte 8192: the frame's position does not follow",
    ),
    (
        "frame-of-an-earlier-use",
        false,
        |bytes| {
            bytes[32] ^= 1;
            mend_blocks(bytes);
            bytes[SEAL..FIRST].fill(0);
        },
        "0 frames, then Torn at byte 8192",
    ),
    (
        "cut-in-a-frame",
        true,
        |bytes| bytes.truncate(FIRST + 100),
        "byte 8192: the frame's length is out of range",
    ),
    ("torn", false, |bytes| bytes[FIRST + 80..].fill(0), "0 frames, then Torn at byte 8192"),
    ("torn-header", false, |bytes| bytes[FIRST + 2..].fill(0), "0 frames, then Stale at byte 8192"),
];

/// What reading a file comes to, in words.
fn told(path: &str) -> String {
    let bytes = read(path);
    match scan(path) {
        Err(error) => error.split_once("is corrupt at ").unwrap().1.to_owned(),
        Ok(found) => {
            let seal = bytes[SEAL..FIRST].try_into().unwrap();
            match Seal::decode(seal, &found.header) {
                Ok(_) | Err(crate::format::raw::BlockError::Empty) => {
                    let at = FRAMES_OFFSET;
                    format!("{} frames, then {:?} at byte {at}", found.frames.len(), found.end)
                }
                Err(error) => format!("seal: {error}"),
            }
        }
    }
}

#[test]
fn each_damaged_segment_is_refused_with_its_reason() {
    let mut known = Vec::new();
    for (name, sealed, damage, what) in DAMAGED {
        let good = file(if sealed { EPOCH } else { NEXT }, AppendMode::Buffered);
        let path = format!("raw/damaged/{name}/{good}");
        let mut bytes = read(format!("raw/v2/{good}"));
        damage(&mut bytes);
        same(&path, &bytes);
        assert_eq!(told(&path), what, "{name}");
        known.push(name.to_owned());
    }
    known.sort_unstable();
    assert_eq!(names("raw/damaged"), known, "of {}", folder().display());
}

#[test]
fn segments_of_development_builds_are_refused() {
    for epoch in [EPOCH, NEXT] {
        let path = format!("raw/v1-early/{}", file(epoch, AppendMode::Buffered));
        assert_eq!(told(&path), "byte 0: header: the block's checksum does not match");
    }
}

#[test]
fn a_frame_of_version_2_names_its_indexes_and_those_before() {
    let bytes = read(format!("raw/v2/{}", file(EPOCH, AppendMode::Buffered)));
    let of = |codes: &[&str]| {
        let mut indexes = FrameIndexes::NONE;
        codes.iter().for_each(|code| indexes.add(code.as_bytes()));
        indexes
    };
    let first = crate::format::raw::FrameHeader::decode(&bytes[FIRST..], 4_096).unwrap();
    assert_eq!((first.indexes, first.before), (of(&["a", "b"]), None));
    let second = FIRST + usize::try_from(first.frame_bytes().next_multiple_of(8)).unwrap();
    let second = crate::format::raw::FrameHeader::decode(&bytes[second..], 4_096).unwrap();
    let before = second.before.unwrap();
    assert_eq!((second.indexes, before.indexes), (of(&["a"]), of(&["a", "b"])));
    assert_eq!(u64::from(before.bytes), first.frame_bytes().next_multiple_of(8));
}
