//! Makes raw segments ready ahead of need.

use super::live::ReadyFile;
use super::recovery::Recovered;
use crate::error::Result;
use crate::format::layout::Layout;
use crate::format::names::RawName;
use crate::io::disk::Disk;
use crate::limits::Limits;

/// Keeps files `ready-N.rawlog` in `raw/live/`: full length, every block written, header and seal zero, all of
/// it durable before they have that name.
#[derive(Debug)]
pub struct Preparer<D> {
    disk: D,
    layout: Layout,
    file_bytes: u64,
    next_number: u64,
    ready: std::collections::VecDeque<ReadyFile>,
}

impl<D: Disk> Preparer<D> {
    /// Takes over the ready files that recovery left; those of another length than
    /// [`Limits::segment_file_bytes`] are deleted.
    ///
    /// # Errors
    /// The disk's.
    pub async fn open(_disk: D, _layout: Layout, _limits: &Limits, _recovered: &Recovered) -> Result<Self> {
        unimplemented!("contract only")
    }

    /// How many files are ready and not handed out.
    #[must_use]
    pub fn ready(&self) -> usize {
        let _ = (&self.disk, &self.layout, self.file_bytes, self.next_number);
        self.ready.len()
    }

    /// Hands a ready file out: whoever gets it writes the header block and frames.
    pub fn take(&mut self) -> Option<ReadyFile> {
        self.ready.pop_front()
    }

    /// Takes back a file that was handed out and never written to.
    pub fn put_back(&mut self, file: ReadyFile) {
        self.ready.push_back(file);
    }

    /// Makes one more file ready: from a spare one if there is any, otherwise a new one, filled with zeros by
    /// writes of 1 MiB.
    ///
    /// # Errors
    /// The disk's; on a full drive (`DiskError::is_full`) what was begun is removed again.
    pub async fn prepare_one(&mut self) -> Result<()> {
        unimplemented!("contract only")
    }

    /// Gives a file in use the name that its header says, after making its header durable: a file with such a name
    /// has a valid header, or it is damaged. The write of the header block must have completed. Fine if it was
    /// archived meanwhile.
    ///
    /// # Errors
    /// The disk's; corruption if the header says another name.
    pub async fn claimed(&self, _number: u64, _name: RawName) -> Result<()> {
        unimplemented!("contract only")
    }
}
