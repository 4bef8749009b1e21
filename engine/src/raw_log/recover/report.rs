//! What recovery tells.

use crate::error::Corruption;
use crate::ids::Epoch;
use crate::raw_log::read::live::ReadyFile;
use crate::raw_log::read::lost::Lost;
use crate::raw_log::read::missing::Missing;
use crate::sequencer::Sequencer;

/// What a writer needs to open the raw log. Only [`super::recover`] makes one, so nothing can be appended to a log
/// that was not put in order.
#[derive(Debug)]
pub struct Recovered {
    pub(super) first_epoch: Epoch,
    pub(super) last_epoch: Option<Epoch>,
    pub(super) missing: Vec<Missing>,
    pub(super) ready: Vec<ReadyFile>,
    pub(super) report: RecoveryReport,
}

impl Recovered {
    /// The first epoch to open: greater than each that ever was on this disk.
    #[must_use]
    pub const fn first_epoch(&self) -> Epoch {
        self.first_epoch
    }

    /// Hands out positions from [`Self::first_epoch`] on.
    #[must_use]
    pub fn sequencer(&self) -> Sequencer {
        Sequencer::after(self.last_epoch, self.first_epoch)
    }

    /// Where no file of the raw log is there, though the files around it show that there were some: those of this start's
    /// [`RecoveryReport::missing_epochs`].
    #[must_use]
    pub fn missing(&self) -> &[Missing] {
        &self.missing
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

/// What recovery found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    /// Segments that were open and are sealed now.
    pub sealed_segments: u64,
    /// Whole frames in them.
    pub frames: u64,
    /// Records in those.
    pub records: u64,
    /// Segments that ended in the middle of a frame.
    pub torn_segments: u64,
    /// Bytes from a hole to the end of the last whole frame behind it.
    pub cut_bytes: u64,
    /// Whole frames that lay behind a hole and were given up.
    pub dropped_frames: u64,
    /// Records in those.
    pub dropped_records: u64,
    /// Positions that are missing, by epoch, as written to .lost files: by this start, or by earlier ones and not dealt
    /// yet. What was lost at the very end of an epoch leaves no trace and is not in here.
    pub lost: Vec<Lost>,
    /// Epochs of which there is nothing, though positions of them were handed out; nobody knows how many. As above, also
    /// those that earlier starts found.
    pub missing_epochs: Vec<Epoch>,
    /// Damage in sealed segments and to files that can't be read otherwise; they are left as they are.
    pub damaged: Vec<Corruption>,
    /// Ready files in use that were renamed to the names that their headers say.
    pub renamed: u64,
    /// Ready files with a torn header that were made usable again.
    pub reset: u64,
    /// Temporary files that were deleted.
    pub temporaries: u64,
    /// Bytes of segments that only the page cache had, after an fdatasync that failed, and that are on the drive now.
    pub restored_bytes: u64,
    /// Why that could not be done, of each segment of which it could not.
    pub unrestored: Vec<String>,
}

impl RecoveryReport {
    /// How many records are known to be missing.
    #[must_use]
    pub fn lost_records(&self) -> u64 {
        self.lost.iter().map(Lost::records).sum()
    }
}

/// How far recovery is, for a log line now and then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecoveryProgress {
    /// Segments read so far.
    pub segments: u64,
    /// Segments to read.
    pub segments_total: u64,
    /// Bytes of whole frames read so far.
    pub bytes: u64,
}
