//! Every bound of the engine, and the relations between them that the rest of the code relies on.
//!
//! Units stand last in the names. What a user may set is a field of [`Limits`], or "by default"; the rest is constant.
//! Each default stands here only: the program shows it from here.

use std::time::Duration;

/// Bits of a position that hold the epoch (milliseconds since 1970: enough until 2109).
pub const EPOCH_BITS: u32 = 42;
/// Bits of a position that hold the ordinal in the epoch.
pub const ORDINAL_BITS: u32 = 22;
/// An epoch with this many records is sealed, whatever its size.
pub const EPOCH_RECORDS_SEAL: u32 = 1 << 21;
/// Shards of one host.
pub const SHARDS_MAX: u32 = 64;
/// Records that one frame may hold, and so that one reservation of ordinals may take.
///
/// As many as 64 shards leave of an epoch's ordinals: 22 bits, of which half are taken when it is sealed. A batch lies in
/// one frame, so that it is there whole or not at all, and the original bounds no batch.
pub const FRAME_RECORDS_MAX: u32 = 1 << 15;

/// A raw segment that has reached this length is sealed, and its epoch with it.
pub const SEGMENT_ROLL_BYTES: u64 = 50 * MIB;
/// Longest index code.
pub const INDEX_CODE_BYTES_MAX: usize = 128;
/// A page of a recovery holds up to this many bytes of records, and at least one record.
pub const PAGE_BYTES_MAX: usize = 5 * MIB as usize;
/// Alignment of direct I/O in memory and on disk, and the unit of padding of direct segments.
pub const DIRECT_BLOCK_BYTES: usize = 4096;
/// Unit of padding of buffered segments.
pub const BUFFERED_BLOCK_BYTES: usize = 8;
/// Size of the blocks that a sidecar holds a checksum for.
pub const SIDECAR_BLOCK_BYTES: usize = 64 * 1024;
/// Sort an index when it has more unsorted segments than this.
pub const SORT_SEGMENTS_MAX: usize = 30;
/// Sort an index when its unsorted segments are longer than this together.
pub const SORT_BYTES_MAX: u64 = 30 * MIB;
/// Sorted segments that one optimization merges at most.
pub const OPTIMIZE_SEGMENTS_MAX: usize = 40;

/// Bytes that a scan of a raw segment reads at once.
pub const SCAN_CHUNK_BYTES: usize = MIB as usize;
/// Longest record that is looked for in a raw segment of the original, which bounds none.
pub const LEGACY_RECORD_BYTES_MAX: usize = 64 * MIB as usize;
/// Bytes that are checksummed in vain while looking for the next whole frame behind damage.
pub const SALVAGE_CHECK_BYTES_MAX: u64 = 1024 * MIB;

/// What a power cut may cost at most, by default.
pub const SYNC_INTERVAL: Duration = Duration::from_secs(1);
/// An epoch with records is closed after this long, by default.
pub const EPOCH_AGE_MAX: Duration = Duration::from_secs(10 * 60);
/// A message must be whole this long after its first byte, by default.
pub const MESSAGE_TIMEOUT: Duration = Duration::from_secs(30);
/// A connection without any traffic is closed after this long, by default.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(3600);
/// Superseded segments of an index are removed when nobody has read it for this long, by default.
pub const UNREAD_BEFORE_CLEAN: Duration = Duration::from_secs(30 * 60);
/// Files of raw/history/ older than this are removed, by default.
pub const HISTORY_AGE_MAX: Duration = Duration::from_secs(30 * 86_400);
/// Bytes of raw/history/ that are kept, by default.
pub const HISTORY_BYTES_MAX: u64 = 64 * 1024 * MIB;
/// Bytes a second that background work may always move, by default.
pub const BACKGROUND_RATE_MIN: u64 = 16 * MIB;
/// Direct appends that take less than this are never slow, by default.
pub const APPEND_SLOW_AFTER: Duration = Duration::from_micros(250);

/// Unit of the length of segments that are rolled before they have a MiB.
const SMALL_SPARE_BYTES: u64 = 4 * DIRECT_BLOCK_BYTES as u64;

/// 1,048,576 bytes.
pub const MIB: u64 = 1 << 20;

const _: () = assert!(EPOCH_BITS + ORDINAL_BITS == 64, "a position is one u64");
const _: () = assert!(
    EPOCH_RECORDS_SEAL as u64 + (SHARDS_MAX * FRAME_RECORDS_MAX) as u64 <= 1 << ORDINAL_BITS,
    "every shard may reserve one last frame after the epoch should have been sealed, and the ordinals must not run into the epoch's bits"
);
const _: () = assert!(SCAN_CHUNK_BYTES.is_multiple_of(DIRECT_BLOCK_BYTES), "chunks are read by direct I/O");
const _: () = assert!(
    DIRECT_BLOCK_BYTES.is_multiple_of(BUFFERED_BLOCK_BYTES),
    "a direct segment is also aligned for buffered reads"
);

/// Bounds that a user may set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// One Thrift message, in bytes; a longer one is refused before it is received.
    pub message_bytes_max: usize,
    /// One record, in bytes as encoded.
    pub record_bytes_max: usize,
    /// Records of one batch.
    pub batch_records_max: u32,
    /// Connections that stay on one port; with more, one that rests is closed for the next.
    pub connections_max: usize,
    /// Bytes appended but not yet synced, in one shard; they stay in memory so that a failed sync can be
    /// answered by writing them elsewhere. At this bound the shard stops reading from its sockets.
    pub unsynced_bytes_max: usize,
    /// Bytes of partly received messages and unsent replies, in one shard.
    pub in_flight_bytes_max: usize,
    /// A raw segment that has reached this length is sealed, and its epoch with it.
    pub segment_roll_bytes: u64,
    /// Refuse appends while the raw log's filesystem has less than this free; resume at twice as much.
    pub free_bytes_min: u64,
    /// Memory that dealing, sorting or optimizing may use, each.
    pub job_bytes_max: usize,
    /// Files that a background job keeps open at once.
    pub open_files_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Why limits contradict each other.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitsError {
    /// The first named must be at most the second.
    #[error("{0} ({1}) must be at most {2} ({3})")]
    Exceeds(&'static str, u64, &'static str, u64),
    /// The named bound is too small to work with.
    #[error("{0} ({1}) must be at least {2}")]
    TooSmall(&'static str, u64, u64),
}

impl Limits {
    /// Of a host that is told nothing else.
    pub const DEFAULT: Self = Self {
        message_bytes_max: 16 * MIB as usize,
        record_bytes_max: 8 * MIB as usize,
        batch_records_max: FRAME_RECORDS_MAX,
        connections_max: 16_384,
        unsynced_bytes_max: 64 * MIB as usize,
        in_flight_bytes_max: 256 * MIB as usize,
        segment_roll_bytes: SEGMENT_ROLL_BYTES,
        free_bytes_min: 256 * MIB,
        job_bytes_max: 256 * MIB as usize,
        open_files_max: 1024,
    };

    /// Checks the relations between the bounds.
    ///
    /// # Errors
    /// The first relation that does not hold.
    pub fn validate(&self) -> Result<(), LimitsError> {
        let at_least = |name, value: u64, least| {
            if value < least { Err(LimitsError::TooSmall(name, value, least)) } else { Ok(()) }
        };
        let at_most = |name, value: u64, bound, most: u64| {
            if value > most { Err(LimitsError::Exceeds(name, value, bound, most)) } else { Ok(()) }
        };
        at_least("message_bytes_max", self.message_bytes_max as u64, 4096)?;
        at_least("segment_roll_bytes", self.segment_roll_bytes, SMALL_SPARE_BYTES)?;
        at_least("batch_records_max", self.batch_records_max.into(), 1)?;
        at_least("connections_max", self.connections_max as u64, 1)?;
        at_least("job_bytes_max", self.job_bytes_max as u64, 16 * MIB)?;
        at_least("open_files_max", self.open_files_max as u64, 16)?;
        at_most(
            "batch_records_max",
            self.batch_records_max.into(),
            "a frame's records",
            FRAME_RECORDS_MAX.into(),
        )?;
        at_most("message_bytes_max", self.message_bytes_max as u64, "1 GiB", 1 << 30)?;
        at_most(
            "record_bytes_max",
            self.record_bytes_max as u64,
            "message_bytes_max",
            self.message_bytes_max as u64,
        )?;
        at_most(
            "twice message_bytes_max",
            2 * self.message_bytes_max as u64,
            "unsynced_bytes_max",
            self.unsynced_bytes_max as u64,
        )?;
        at_most(
            "message_bytes_max",
            self.message_bytes_max as u64,
            "in_flight_bytes_max",
            self.in_flight_bytes_max as u64,
        )
    }

    /// Length of a raw segment's file: room for a last frame that begins just before the segment is full.
    #[must_use]
    pub const fn segment_file_bytes(&self) -> u64 {
        // Room for the header, the seal and padding; less where segments are small.
        let spare = if self.segment_roll_bytes < MIB { SMALL_SPARE_BYTES } else { MIB };
        let last = (self.message_bytes_max as u64 + spare).next_multiple_of(spare);
        self.segment_roll_bytes.next_multiple_of(spare) + last + spare
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_consistent() {
        Limits::default().validate().unwrap();
    }

    #[test]
    fn a_segment_of_the_default_length_takes_68_mebibytes() {
        assert_eq!(Limits::default().segment_file_bytes(), 68 * MIB);
    }

    #[test]
    fn a_record_longer_than_a_message_is_a_contradiction() {
        let limits = Limits { record_bytes_max: 17 * MIB as usize, ..Limits::default() };
        assert!(matches!(limits.validate(), Err(LimitsError::Exceeds("record_bytes_max", ..))));
    }
}
