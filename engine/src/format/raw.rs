//! Raw segment: a header block, a seal block, then frames. All numbers are little-endian.
//!
//! ```text
//! offset 0      header block (4096 bytes), written with the first frame
//! offset 4096   seal block (4096 bytes), zero until the segment is complete
//! offset 8192   frames, each beginning at a multiple of the segment's block size
//! ```
//!
//! A frame is what one turn of a shard's loop received: one write, one checksum, all or nothing. Files are
//! recycled: what a file held before can't be taken for frames of its present life, because each frame's
//! checksum covers the segment's salt, and positions must go on where the frame before ended.
//!
//! ```text
//! header   0  8 magic "LTRAWLOG"    seal   0  8 magic "LTSEALED"      frame  0  4 magic "LTF2"
//!          8  4 version = 2                8  8 salt                         4  4 payload length
//!         12  4 block size                16  8 epoch                        8  4 CRC32C of salt, bytes 0..8,
//!         16  8 epoch                     24  8 end of the last frame            bytes 12..64 and the payload
//!         24  4 shard                     32  8 frames                      12  4 record count (at least 1)
//!         28  4 part                      40  8 records                     16  8 position of the first record
//!         32  8 salt                      48  4 records of the epoch over   24  8 time, ms since 1970 UTC:
//!         40  8 created, ms                     all shards, or 2^32-1           the timestamp of all its records
//!         48  8 file length               52  4 1 = writer, 2 = recovery    32 12 which indexes it may hold
//!         56  8 position of the shard's   56  8 sealed, ms                  44 12 which the frame before may hold
//!               frame before, or 0        64  8 previous epoch, or 0        56  4 from the begin of the frame before
//!         64  4 CRC32C of bytes 0..64     72  4 CRC32C of bytes 0..72             to here, or 0: not known
//!         68    zero                      76    zero                        60  4 CRC32C of salt, bytes 0..8, 12..60
//!                                                                           64    payload: the records, Thrift
//!                                                                                 binary, with index_code
//! ```
//!
//! Version 1, which is read too, has frames of magic "LTFR": their payload begins at 32, and bytes 32..64 are missing.
//!
//! What a frame says of indexes is for damage: the second checksum vouches for a frame's place, positions and indexes
//! where its payload is damaged, the frame behind it where its header is. So it is known of whom records may be
//! hidden in there, and nobody else need be refused (decision page 11).
//!
//! The header's "frame before" is the one that the same shard wrote, or was writing, when it took this segment into
//! use: the first position of it. Where that frame is lost, what follows it in this segment stands behind a hole.
//!
//! The seal's "records of the epoch" is how many ordinals the sequencer handed out in it: since ordinals are
//! dense, a reader knows that it holds all segments of an epoch when their records add up to it. The "previous
//! epoch" is the one closed before this one, by this process or the last one of the process before: a reader that holds
//! neither it nor proof that it is dealt knows that it is still on its way to disk, or was lost since. Recovery, which can't know either, seals every segment before anything new is
//! written.

use std::ops::RangeInclusive;

use logtank_wire::record::RecordView;

use super::frame_indexes::FrameIndexes;
use crate::ids::{Epoch, Position, ShardId};
use crate::left_out::or_left_out;
use crate::limits::DIRECT_BLOCK_BYTES;
use crate::mutant::{bug, or_bug};
use crate::time::WallMillis;

/// The version of the format that this code writes.
pub const VERSION: u32 = 2;
/// The versions that this code reads.
const VERSIONS: RangeInclusive<u32> = 1..=VERSION;
/// Offset and length of the header block.
pub const HEADER_BYTES: usize = DIRECT_BLOCK_BYTES;
/// Offset of the seal block.
pub const SEAL_OFFSET: u64 = HEADER_BYTES as u64;
/// Length of the seal block.
pub const SEAL_BYTES: usize = DIRECT_BLOCK_BYTES;
/// Offset of the first frame.
pub const FRAMES_OFFSET: u64 = (HEADER_BYTES + SEAL_BYTES) as u64;
/// Length of a frame's header.
pub const FRAME_HEADER_BYTES: usize = 64;
/// Length of a frame's header in version 1: the least that one has.
pub(crate) const FRAME_HEADER_BYTES_MIN: usize = 32;

const HEADER_MAGIC: &[u8; 8] = b"LTRAWLOG";
const SEAL_MAGIC: &[u8; 8] = b"LTSEALED";
const FRAME_MAGIC: &[u8; 4] = b"LTF2";
const FRAME_MAGIC_1: &[u8; 4] = b"LTFR";
const FRAME_CHECKSUM_2: usize = 60;
const EPOCH_RECORDS_UNKNOWN: u32 = u32::MAX;
const HEADER_CHECKSUM: usize = 64;
const SEAL_CHECKSUM: usize = 72;

/// Tells frames of a file's present life from those of earlier ones; random for each segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Salt(pub u64);

/// What the header block says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Of the format: 1 or 2. What is written now has [`VERSION`].
    pub version: u32,
    /// Frames begin at multiples of this many bytes: a power of two, 8 to 65,536.
    pub block_bytes: u32,
    /// The epoch of all records.
    pub epoch: Epoch,
    /// The shard that writes it.
    pub shard: ShardId,
    /// Number among the shard's segments of this epoch.
    pub part: u32,
    /// This life's salt.
    pub salt: Salt,
    /// When it was taken into use.
    pub created: WallMillis,
    /// Length of the file.
    pub file_bytes: u64,
    /// First position of the frame that its shard wrote before those in here, to another segment; `None` if that is this
    /// process's first.
    pub follows: Option<Position>,
}

/// Why a block is not what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// Nothing but zeros: never written in this life of the file.
    #[error("the block is empty")]
    Empty,
    /// Not this kind of block.
    #[error("the block has no magic number")]
    Magic,
    /// The checksum does not match.
    #[error("the block's checksum does not match")]
    Checksum,
    /// Written by a version that this one can't read.
    #[error("the segment has version {0}, this program reads versions 1 and 2")]
    Version(u32),
    /// A field has a value that can't be.
    #[error("the block's {0} is out of range")]
    Field(&'static str),
    /// Belongs to an earlier life of the file.
    #[error("the block belongs to an earlier use of the file")]
    Stale,
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

impl Header {
    /// The header block.
    #[must_use]
    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut block = [0; HEADER_BYTES];
        block[0..8].copy_from_slice(HEADER_MAGIC);
        block[8..12].copy_from_slice(&self.version.to_le_bytes());
        block[12..16].copy_from_slice(&self.block_bytes.to_le_bytes());
        block[16..24].copy_from_slice(&self.epoch.millis().to_le_bytes());
        block[24..28].copy_from_slice(&u32::from(self.shard.0).to_le_bytes());
        block[28..32].copy_from_slice(&self.part.to_le_bytes());
        block[32..40].copy_from_slice(&self.salt.0.to_le_bytes());
        block[40..48].copy_from_slice(&self.created.0.to_le_bytes());
        block[48..56].copy_from_slice(&self.file_bytes.to_le_bytes());
        block[56..64].copy_from_slice(&self.follows.map_or(0, Position::packed).to_le_bytes());
        let checksum = crc32c::crc32c(&block[..HEADER_CHECKSUM]);
        block[HEADER_CHECKSUM..HEADER_CHECKSUM + 4].copy_from_slice(&checksum.to_le_bytes());
        block
    }

    /// Reads a header block.
    ///
    /// # Errors
    /// What is wrong with it; [`BlockError::Empty`] if the file is not in use.
    pub fn decode(block: &[u8; HEADER_BYTES]) -> Result<Self, BlockError> {
        if block.iter().all(|&byte| byte == 0) {
            return Err(BlockError::Empty);
        }
        if &block[0..8] != HEADER_MAGIC {
            return Err(BlockError::Magic);
        }
        if crc32c::crc32c(&block[..HEADER_CHECKSUM]) != u32_at(block, HEADER_CHECKSUM) {
            return Err(BlockError::Checksum);
        }
        let version = u32_at(block, 8);
        if !VERSIONS.contains(&version) {
            return Err(BlockError::Version(version));
        }
        let block_bytes = u32_at(block, 12);
        if !block_bytes.is_power_of_two() || !(8..=65_536).contains(&block_bytes) {
            return Err(BlockError::Field("block size"));
        }
        Ok(Self {
            version,
            block_bytes,
            epoch: Epoch::new(u64_at(block, 16)).ok_or(BlockError::Field("epoch"))?,
            shard: ShardId(u32_at(block, 24).try_into().map_err(|_| BlockError::Field("shard"))?),
            part: u32_at(block, 28),
            salt: Salt(u64_at(block, 32)),
            created: WallMillis(u64_at(block, 40)),
            file_bytes: u64_at(block, 48),
            follows: match u64_at(block, 56) {
                0 => None,
                packed => Some(Position::from_packed(packed)),
            },
        })
    }
}

/// Who sealed a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealedBy {
    /// The shard that wrote it, when the epoch was complete.
    Writer,
    /// Recovery, after a crash.
    Recovery,
}

/// What the seal block says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seal {
    /// The segment's salt.
    pub salt: Salt,
    /// The segment's epoch.
    pub epoch: Epoch,
    /// Offset just past the last frame's padding; a frame would begin here.
    pub end: u64,
    /// Frames in this segment.
    pub frames: u64,
    /// Records in this segment.
    pub records: u64,
    /// Ordinals handed out in the epoch, over all shards; `None` if not known.
    pub epoch_records: Option<u32>,
    /// The epoch closed before this one, by this process or an earlier one; `None` if not known.
    pub previous: Option<Epoch>,
    /// Who sealed it.
    pub sealed_by: SealedBy,
    /// When.
    pub sealed: WallMillis,
}

impl Seal {
    /// The seal block.
    ///
    /// # Panics
    /// If `epoch_records` is the reserved value 2^32-1, which no epoch can reach.
    #[must_use]
    pub fn encode(&self) -> [u8; SEAL_BYTES] {
        assert_ne!(self.epoch_records, Some(EPOCH_RECORDS_UNKNOWN), "reserved value");
        let mut block = [0; SEAL_BYTES];
        block[0..8].copy_from_slice(SEAL_MAGIC);
        block[8..16].copy_from_slice(&self.salt.0.to_le_bytes());
        block[16..24].copy_from_slice(&self.epoch.millis().to_le_bytes());
        block[24..32].copy_from_slice(&self.end.to_le_bytes());
        block[32..40].copy_from_slice(&self.frames.to_le_bytes());
        block[40..48].copy_from_slice(&self.records.to_le_bytes());
        block[48..52].copy_from_slice(&self.epoch_records.unwrap_or(EPOCH_RECORDS_UNKNOWN).to_le_bytes());
        let sealed_by: u32 = match self.sealed_by {
            SealedBy::Writer => 1,
            SealedBy::Recovery => 2,
        };
        block[52..56].copy_from_slice(&sealed_by.to_le_bytes());
        block[56..64].copy_from_slice(&self.sealed.0.to_le_bytes());
        block[64..72].copy_from_slice(&self.previous.map_or(0, Epoch::millis).to_le_bytes());
        let checksum = crc32c::crc32c(&block[..SEAL_CHECKSUM]);
        block[SEAL_CHECKSUM..SEAL_CHECKSUM + 4].copy_from_slice(&checksum.to_le_bytes());
        block
    }

    /// Reads the seal block of the segment that has this header.
    ///
    /// # Errors
    /// [`BlockError::Empty`] if the segment is not sealed; otherwise what is wrong with the block.
    pub fn decode(block: &[u8; SEAL_BYTES], header: &Header) -> Result<Self, BlockError> {
        if block.iter().all(|&byte| byte == 0) {
            return Err(BlockError::Empty);
        }
        if &block[0..8] != SEAL_MAGIC {
            return Err(BlockError::Magic);
        }
        if crc32c::crc32c(&block[..SEAL_CHECKSUM]) != u32_at(block, SEAL_CHECKSUM) {
            return Err(BlockError::Checksum);
        }
        if u64_at(block, 8) != header.salt.0 || u64_at(block, 16) != header.epoch.millis() {
            return Err(BlockError::Stale);
        }
        let end = u64_at(block, 24);
        if !(FRAMES_OFFSET..=header.file_bytes).contains(&end)
            || !end.is_multiple_of(header.block_bytes.into())
        {
            return Err(BlockError::Field("end"));
        }
        let epoch_records = u32_at(block, 48);
        Ok(Self {
            salt: header.salt,
            epoch: header.epoch,
            end,
            frames: u64_at(block, 32),
            records: u64_at(block, 40),
            epoch_records: (epoch_records != EPOCH_RECORDS_UNKNOWN).then_some(epoch_records),
            previous: match u64_at(block, 64) {
                0 => None,
                millis => Some(Epoch::new(millis).ok_or(BlockError::Field("previous epoch"))?),
            },
            sealed_by: match u32_at(block, 52) {
                1 => SealedBy::Writer,
                2 => SealedBy::Recovery,
                _ => return Err(BlockError::Field("sealed by")),
            },
            sealed: WallMillis(u64_at(block, 56)),
        })
    }
}

/// What a frame's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// Length of the payload in bytes.
    pub payload_bytes: u32,
    /// Records in the payload, at least one.
    pub records: u32,
    /// Position of the first one; the others follow densely, in the same epoch.
    pub first: Position,
    /// The timestamp of all of them.
    pub time: WallMillis,
    /// Which indexes they may be of; all, in version 1.
    pub indexes: FrameIndexes,
    /// The frame before, if it is known.
    pub before: Option<FrameBefore>,
    /// Length of the header itself.
    header_bytes: usize,
    checksum: u32,
}

/// What a frame says of the one before it in its segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameBefore {
    /// From where that one begins to where this one does.
    pub bytes: u32,
    /// Which indexes its records may be of.
    pub indexes: FrameIndexes,
}

/// Why bytes are not the next frame of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// No magic number: zeros or old bytes, the usual end of an unsealed segment.
    #[error("no frame begins here")]
    Magic,
    /// A length or count that can't be.
    #[error("the frame's {0} is out of range")]
    Field(&'static str),
    /// The checksum does not match: torn, damaged, or of an earlier life of the file.
    #[error("the frame's checksum does not match")]
    Checksum,
    /// The position does not follow the frame before, or is of another epoch.
    #[error("the frame's position does not follow")]
    Position,
}

impl FrameHeader {
    /// Writes the header of a frame with this payload over the first [`FRAME_HEADER_BYTES`] of `frame`,
    /// whose remaining bytes are the payload. Looks into each record for its index; what can't be read may be of any.
    ///
    /// # Panics
    /// If the frame is shorter than its header, longer than 4 GiB, or has no record.
    pub fn seal_frame(frame: &mut [u8], salt: Salt, records: u32, first: Position, time: WallMillis) {
        let indexes = indexes_in(&frame[FRAME_HEADER_BYTES..]);
        Self::seal_frame_of(frame, salt, records, first, time, indexes, None);
    }

    /// As [`Self::seal_frame`], where the indexes are known, and perhaps the frame before.
    ///
    /// # Panics
    /// As [`Self::seal_frame`].
    pub fn seal_frame_of(
        frame: &mut [u8],
        salt: Salt,
        records: u32,
        first: Position,
        time: WallMillis,
        indexes: FrameIndexes,
        before: Option<FrameBefore>,
    ) {
        assert!(records > 0, "a frame holds at least one record");
        let payload = u32::try_from(frame.len() - FRAME_HEADER_BYTES).expect("frames are shorter than 4 GiB");
        frame[0..4].copy_from_slice(FRAME_MAGIC);
        frame[4..8].copy_from_slice(&payload.to_le_bytes());
        frame[12..16].copy_from_slice(&records.to_le_bytes());
        frame[16..24].copy_from_slice(&first.packed().to_le_bytes());
        frame[24..32].copy_from_slice(&time.0.to_le_bytes());
        frame[32..44].copy_from_slice(&indexes.encode());
        frame[44..56].copy_from_slice(&before.map_or([0; 12], |before| before.indexes.encode()));
        frame[56..60].copy_from_slice(&before.map_or(0, |before| before.bytes).to_le_bytes());
        let checksum = or_left_out!(Checksums, Self::header_checksum(frame, salt), 0);
        frame[FRAME_CHECKSUM_2..FRAME_HEADER_BYTES].copy_from_slice(&checksum.to_le_bytes());
        let checksum = or_left_out!(Checksums, Self::checksum(frame, salt), 0);
        frame[8..12].copy_from_slice(&checksum.to_le_bytes());
    }

    fn checksum(frame: &[u8], salt: Salt) -> u32 {
        let salt = or_bug!(NoSaltNoPosition, salt, Salt(0));
        let sum = crc32c::crc32c(&salt.0.to_le_bytes());
        let sum = crc32c::crc32c_append(sum, &frame[0..8]);
        crc32c::crc32c_append(sum, &frame[12..])
    }

    /// Of the header alone.
    fn header_checksum(frame: &[u8], salt: Salt) -> u32 {
        let sum = crc32c::crc32c(&salt.0.to_le_bytes());
        let sum = crc32c::crc32c_append(sum, &frame[0..8]);
        crc32c::crc32c_append(sum, &frame[12..FRAME_CHECKSUM_2])
    }

    /// Reads the header of a frame that begins with these bytes, of which [`FRAME_HEADER_BYTES`] are enough; `room` is how many
    /// bytes the segment has from the frame's begin on. What it says may be believed only after [`Self::verify`].
    ///
    /// # Errors
    /// If no frame can begin here.
    pub fn decode(bytes: &[u8], room: u64) -> Result<Self, FrameError> {
        let header_bytes = match bytes.first_chunk::<4>() {
            Some(FRAME_MAGIC) => FRAME_HEADER_BYTES,
            Some(FRAME_MAGIC_1) => FRAME_HEADER_BYTES_MIN,
            Some(_) | None => return Err(FrameError::Magic),
        };
        let Some(bytes) = bytes.get(..header_bytes) else { return Err(FrameError::Field("length")) };
        let (mut indexes, mut before) = (FrameIndexes::ALL, None);
        if let Some(bytes) = bytes.first_chunk::<FRAME_HEADER_BYTES>() {
            let twelve = |at: usize| bytes[at..at + 12].try_into().expect("twelve bytes");
            indexes = FrameIndexes::decode(twelve(32));
            let back = u32_at(bytes, 56);
            before =
                (back > 0).then(|| FrameBefore { bytes: back, indexes: FrameIndexes::decode(twelve(44)) });
        }
        let header = Self {
            payload_bytes: u32_at(bytes, 4),
            checksum: u32_at(bytes, 8),
            records: u32_at(bytes, 12),
            first: Position::from_packed(u64_at(bytes, 16)),
            time: WallMillis(u64_at(bytes, 24)),
            indexes,
            before,
            header_bytes,
        };
        if header.frame_bytes() > room {
            return Err(FrameError::Field("length"));
        }
        let ordinals = 1 << crate::limits::ORDINAL_BITS;
        if header.records == 0 || u64::from(header.first.ordinal()) + u64::from(header.records) > ordinals {
            return Err(FrameError::Field("record count"));
        }
        Ok(header)
    }

    /// Checks a whole frame (header and payload, without padding) against its checksum and its place: it
    /// must be of `epoch` and begin at `least` or later.
    ///
    /// # Errors
    /// If the frame is not what was written there.
    pub fn verify(&self, frame: &[u8], segment: &Header, least: Position) -> Result<(), FrameError> {
        if Self::checksum(frame, segment.salt) != self.checksum && !bug!(NoChecksum) {
            return Err(FrameError::Checksum);
        }
        if (self.first.epoch() != segment.epoch || self.first < least) && !bug!(NoSaltNoPosition) {
            return Err(FrameError::Position);
        }
        Ok(())
    }

    /// Whether this header, which `bytes` begin with, is what was written there, whatever became of the payload. Never in
    /// version 1, where nothing tells.
    #[must_use]
    pub fn is_vouched_for(&self, bytes: &[u8], salt: Salt) -> bool {
        self.header_bytes == FRAME_HEADER_BYTES
            && bytes
                .get(..FRAME_HEADER_BYTES)
                .is_some_and(|bytes| u32_at(bytes, FRAME_CHECKSUM_2) == Self::header_checksum(bytes, salt))
    }

    /// Length of the header: where the payload begins.
    #[must_use]
    pub const fn header_bytes(&self) -> usize {
        self.header_bytes
    }

    /// Length of header and payload.
    #[must_use]
    pub const fn frame_bytes(&self) -> u64 {
        self.header_bytes as u64 + self.payload_bytes as u64
    }

    /// Position just past the last record; equals the next frame's first only if no other shard wrote
    /// between the two.
    #[must_use]
    pub fn end(&self) -> Position {
        Position::from_packed(self.first.packed() + u64::from(self.records))
    }
}

/// Of which indexes the records of a payload are.
fn indexes_in(mut payload: &[u8]) -> FrameIndexes {
    let mut indexes = FrameIndexes::NONE;
    while !payload.is_empty() {
        let Ok((view, length)) = RecordView::parse(payload) else { return FrameIndexes::ALL };
        view.index_code.into_iter().for_each(|code| indexes.add(code));
        payload = &payload[length..];
    }
    indexes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            version: VERSION,
            block_bytes: 8,
            epoch: Epoch::new(1_795_343_512_642).unwrap(),
            shard: ShardId(3),
            part: 1,
            salt: Salt(0x1234_5678_9abc_def0),
            created: WallMillis(1_795_343_512_642),
            file_bytes: 1 << 26,
            follows: Some(Position::new(Epoch::new(6).unwrap(), 5)),
        }
    }

    fn frame() -> (Header, Vec<u8>) {
        let header = header();
        let mut frame = vec![0; FRAME_HEADER_BYTES];
        frame.extend_from_slice(b"payload");
        FrameHeader::seal_frame(&mut frame, header.salt, 2, Position::new(header.epoch, 5), WallMillis(9));
        (header, frame)
    }

    fn open(frame: &[u8], header: &Header, least: Position) -> Result<FrameHeader, FrameError> {
        let decoded = FrameHeader::decode(frame, frame.len() as u64)?;
        decoded.verify(frame, header, least)?;
        Ok(decoded)
    }

    #[test]
    fn blocks_round_trip() {
        let header = header();
        assert_eq!(Header::decode(&header.encode()), Ok(header));
        let seal = Seal {
            salt: header.salt,
            epoch: header.epoch,
            end: FRAMES_OFFSET + 64,
            frames: 2,
            records: 3,
            epoch_records: Some(7),
            previous: Epoch::new(1_795_343_512_600),
            sealed_by: SealedBy::Writer,
            sealed: WallMillis(1),
        };
        assert_eq!(Seal::decode(&seal.encode(), &header), Ok(seal));
        let other = Header { salt: Salt(1), ..header };
        assert_eq!(Seal::decode(&seal.encode(), &other), Err(BlockError::Stale));
        assert_eq!(Header::decode(&[0; HEADER_BYTES]), Err(BlockError::Empty));
    }

    #[test]
    fn every_flipped_bit_of_a_frame_is_found() {
        let (header, frame) = frame();
        let least = Position::new(header.epoch, 0);
        assert_eq!(open(&frame, &header, least).unwrap().end().ordinal(), 7);
        for bit in 0..frame.len() * 8 {
            let mut damaged = frame.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(open(&damaged, &header, least).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_frame_of_an_earlier_life_or_an_earlier_position_is_refused() {
        let (header, frame) = frame();
        let least = Position::new(header.epoch, 0);
        let recycled = Header { salt: Salt(2), ..header };
        assert_eq!(open(&frame, &recycled, least), Err(FrameError::Checksum));
        assert_eq!(open(&frame, &header, Position::new(header.epoch, 6)), Err(FrameError::Position));
        let next = Header { epoch: Epoch::new(header.epoch.millis() + 1).unwrap(), ..header };
        assert_eq!(open(&frame, &next, least), Err(FrameError::Position));
    }

    #[test]
    fn a_header_vouches_for_itself_whatever_the_payload_is() {
        let (header, mut frame) = frame();
        let vouched = |frame: &[u8], salt| {
            FrameHeader::decode(frame, 1 << 20).is_ok_and(|decoded| decoded.is_vouched_for(frame, salt))
        };
        frame[FRAME_HEADER_BYTES] ^= 1;
        assert!(vouched(&frame, header.salt));
        assert!(!vouched(&frame, Salt(1)), "of an earlier life");
        for bit in (0..8 * 8).chain(12 * 8..FRAME_HEADER_BYTES * 8) {
            let mut damaged = frame.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(!vouched(&damaged, header.salt), "bit {bit}");
        }
    }

    #[test]
    fn a_frame_of_version_1_is_read_and_tells_nothing_of_indexes() {
        let header = Header { version: 1, ..header() };
        assert_eq!(Header::decode(&header.encode()), Ok(header));
        let first = Position::new(header.epoch, 5);
        // As version 1 wrote it.
        let mut frame = [&b"LTFR"[..], &7u32.to_le_bytes(), &[0; 4], &2u32.to_le_bytes()].concat();
        frame.extend([first.packed().to_le_bytes(), 9u64.to_le_bytes()].concat());
        frame.extend(b"payload");
        let checksum = FrameHeader::checksum(&frame, header.salt);
        frame[8..12].copy_from_slice(&checksum.to_le_bytes());
        let decoded = open(&frame, &header, first).unwrap();
        assert_eq!((decoded.header_bytes(), decoded.frame_bytes(), decoded.records), (32, 39, 2));
        assert!(decoded.indexes.may_hold(b"any") && decoded.before.is_none());
        assert!(!decoded.is_vouched_for(&frame, header.salt));
        frame[38] ^= 1;
        assert_eq!(open(&frame, &header, first), Err(FrameError::Checksum));
    }

    #[test]
    fn a_frame_says_which_indexes_it_and_the_one_before_may_hold() {
        let (header, mut frame) = frame();
        let first = Position::new(header.epoch, 5);
        let [mut of_a, mut of_b] = [FrameIndexes::NONE; 2];
        of_a.add(b"a");
        of_b.add(b"b");
        let before = FrameBefore { bytes: 80, indexes: of_b };
        FrameHeader::seal_frame_of(&mut frame, header.salt, 2, first, WallMillis(9), of_a, Some(before));
        let decoded = open(&frame, &header, first).unwrap();
        assert_eq!((decoded.indexes, decoded.before), (of_a, Some(before)));
    }
}
