//! Puts the raw log in order before anything is appended to it.

use super::live::ReadyFile;
use super::lost::Lost;
use crate::error::{Corruption, Result};
use crate::format::layout::Layout;
use crate::ids::Epoch;
use crate::io::disk::Disk;
use crate::time::WallMillis;

/// What a writer needs to open the raw log. Only [`recover`] makes one, so nothing can be appended to a log that
/// was not put in order.
#[derive(Debug)]
pub struct Recovered {
    first_epoch: Epoch,
    ready: Vec<ReadyFile>,
    report: RecoveryReport,
}

/// What recovery found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    /// Segments that were open and are sealed now.
    pub sealed_segments: u64,
    /// Frames in them.
    pub frames: u64,
    /// Records in them.
    pub records: u64,
    /// Bytes behind their last whole frame that were not zero, up to the last thing that looked like a frame.
    pub cut_bytes: u64,
    /// Whole frames that lay behind a hole and were given up, with it.
    pub dropped_frames: u64,
    /// Records in those.
    pub dropped_records: u64,
    /// Positions that are missing, by epoch; written to .lost files too. What was lost at the very end of an
    /// epoch leaves no trace and is not in here.
    pub lost: Vec<Lost>,
    /// Damage in sealed segments; they are left as they are.
    pub damaged: Vec<Corruption>,
    /// Ready files that were renamed to the names that their headers give them.
    pub renamed: u64,
    /// Ready files with a torn header that were made usable again.
    pub reset: u64,
    /// Temporary files that were deleted.
    pub temporaries: u64,
}

/// How far recovery is, for a log line now and then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecoveryProgress {
    /// Segments read so far.
    pub segments: u64,
    /// Segments to read.
    pub segments_total: u64,
    /// Bytes read so far.
    pub bytes: u64,
}

impl Recovered {
    /// The first epoch to open: greater than each that ever was on this disk.
    #[must_use]
    pub const fn first_epoch(&self) -> Epoch {
        self.first_epoch
    }

    /// What was found and done.
    #[must_use]
    pub const fn report(&self) -> &RecoveryReport {
        &self.report
    }

    /// Segments that are ready for use.
    #[must_use]
    pub fn ready(&self) -> &[ReadyFile] {
        &self.ready
    }
}

/// Puts the raw log in order: everything that was left open is read from the drive, cut behind its last whole
/// frame, and sealed; what is missing is written down. The caller holds writer.lock.
///
/// May stop at any await and be run again: the result is the same, and what was once reported lost never comes
/// back.
///
/// # Errors
/// The disk's: nothing may be appended then. A header of a later version, or an epoch at the end of time.
pub async fn recover<D: Disk>(
    _disk: &D,
    _layout: &Layout,
    _now: WallMillis,
    _progress: &mut dyn FnMut(RecoveryProgress),
) -> Result<Recovered> {
    unimplemented!("contract only")
}
