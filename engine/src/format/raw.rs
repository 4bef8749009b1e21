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
//! header   0  8 magic "LTRAWLOG"    seal   0  8 magic "LTSEALED"      frame  0  4 magic "LTFR"
//!          8  4 version = 1                8  8 salt                         4  4 payload length
//!         12  4 block size                16  8 epoch                        8  4 CRC32C of salt, bytes 0..8,
//!         16  8 epoch                     24  8 end of the last frame            bytes 12..32 and the payload
//!         24  4 shard                     32  8 frames                      12  4 record count (at least 1)
//!         28  4 part                      40  8 records                     16  8 position of the first record
//!         32  8 salt                      48  4 records of the epoch over   24  8 time, ms since 1970 UTC:
//!         40  8 created, ms                     all shards, or 2^32-1           the timestamp of all its records
//!         48  8 file length               52  4 1 = writer, 2 = recovery    32    payload: the records, Thrift
//!         56  8 position of the shard's   56  8 sealed, ms                        binary, with index_code
//!               frame before, or 0        64  8 previous epoch, or 0
//!         64  4 CRC32C of bytes 0..64     72  4 CRC32C of bytes 0..72
//!         68    zero                      76    zero
//! ```
//!
//! The header's "frame before" is the one that the same shard wrote, or was writing, when it took this segment into
//! use: the first position of it. Where that frame is lost, what follows it in this segment stands behind a hole.
//!
//! The seal's "records of the epoch" is how many ordinals the sequencer handed out in it: since ordinals are
//! dense, a reader knows that it holds all segments of an epoch when their records add up to it. The "previous
//! epoch" is the one closed before this one: a reader that holds neither it nor proof that it is dealt knows that
//! it is still on its way to disk. Recovery, which can't know either, seals every segment before anything new is
//! written.

use crate::ids::{Epoch, Position, ShardId};
use crate::left_out::Part;
use crate::limits::DIRECT_BLOCK_BYTES;
use crate::mutant::{self, Mutant};
use crate::time::WallMillis;

/// The version of the format that this code writes.
pub const VERSION: u32 = 1;
/// Offset and length of the header block.
pub const HEADER_BYTES: usize = DIRECT_BLOCK_BYTES;
/// Offset of the seal block.
pub const SEAL_OFFSET: u64 = HEADER_BYTES as u64;
/// Length of the seal block.
pub const SEAL_BYTES: usize = DIRECT_BLOCK_BYTES;
/// Offset of the first frame.
pub const FRAMES_OFFSET: u64 = (HEADER_BYTES + SEAL_BYTES) as u64;
/// Length of a frame's header.
pub const FRAME_HEADER_BYTES: usize = 32;

const HEADER_MAGIC: &[u8; 8] = b"LTRAWLOG";
const SEAL_MAGIC: &[u8; 8] = b"LTSEALED";
const FRAME_MAGIC: &[u8; 4] = b"LTFR";
const EPOCH_RECORDS_UNKNOWN: u32 = u32::MAX;
const HEADER_CHECKSUM: usize = 64;
const SEAL_CHECKSUM: usize = 72;

/// Tells frames of a file's present life from those of earlier ones; random for each segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Salt(pub u64);

/// What the header block says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
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
    #[error("the segment has version {0}, this program reads version 1")]
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
        block[8..12].copy_from_slice(&VERSION.to_le_bytes());
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
        if u32_at(block, 8) != VERSION {
            return Err(BlockError::Version(u32_at(block, 8)));
        }
        let block_bytes = u32_at(block, 12);
        if !block_bytes.is_power_of_two() || !(8..=65_536).contains(&block_bytes) {
            return Err(BlockError::Field("block size"));
        }
        Ok(Self {
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
    /// The epoch closed before this one, by the same process; `None` if not known, or sealed by every shard.
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
    checksum: u32,
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
    /// whose remaining bytes are the payload.
    ///
    /// # Panics
    /// If the frame is shorter than its header, longer than 4 GiB, or has no record.
    pub fn seal_frame(frame: &mut [u8], salt: Salt, records: u32, first: Position, time: WallMillis) {
        assert!(records > 0, "a frame holds at least one record");
        let payload = u32::try_from(frame.len() - FRAME_HEADER_BYTES).expect("frames are shorter than 4 GiB");
        frame[0..4].copy_from_slice(FRAME_MAGIC);
        frame[4..8].copy_from_slice(&payload.to_le_bytes());
        frame[12..16].copy_from_slice(&records.to_le_bytes());
        frame[16..24].copy_from_slice(&first.packed().to_le_bytes());
        frame[24..32].copy_from_slice(&time.0.to_le_bytes());
        let checksum = if Part::Checksums.is_left_out() { 0 } else { Self::checksum(frame, salt) };
        frame[8..12].copy_from_slice(&checksum.to_le_bytes());
    }

    fn checksum(frame: &[u8], salt: Salt) -> u32 {
        let salt = if mutant::active(Mutant::NoSaltNoPosition) { Salt(0) } else { salt };
        let sum = crc32c::crc32c(&salt.0.to_le_bytes());
        let sum = crc32c::crc32c_append(sum, &frame[0..8]);
        crc32c::crc32c_append(sum, &frame[12..])
    }

    /// Reads a frame's header; `room` is how many bytes the segment has from the frame's begin on. What it
    /// says may be believed only after [`Self::verify`].
    ///
    /// # Errors
    /// If no frame can begin here.
    pub fn decode(bytes: &[u8; FRAME_HEADER_BYTES], room: u64) -> Result<Self, FrameError> {
        if &bytes[0..4] != FRAME_MAGIC {
            return Err(FrameError::Magic);
        }
        let header = Self {
            payload_bytes: u32_at(bytes, 4),
            checksum: u32_at(bytes, 8),
            records: u32_at(bytes, 12),
            first: Position::from_packed(u64_at(bytes, 16)),
            time: WallMillis(u64_at(bytes, 24)),
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
        if Self::checksum(frame, segment.salt) != self.checksum && !mutant::active(Mutant::NoChecksum) {
            return Err(FrameError::Checksum);
        }
        if (self.first.epoch() != segment.epoch || self.first < least)
            && !mutant::active(Mutant::NoSaltNoPosition)
        {
            return Err(FrameError::Position);
        }
        Ok(())
    }

    /// Length of header and payload.
    #[must_use]
    pub const fn frame_bytes(&self) -> u64 {
        FRAME_HEADER_BYTES as u64 + self.payload_bytes as u64
    }

    /// Position just past the last record; equals the next frame's first only if no other shard wrote
    /// between the two.
    #[must_use]
    pub fn end(&self) -> Position {
        Position::from_packed(self.first.packed() + u64::from(self.records))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
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
        let decoded =
            FrameHeader::decode(frame[..FRAME_HEADER_BYTES].try_into().unwrap(), frame.len() as u64)?;
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
}
