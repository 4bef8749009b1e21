//! One consistent look at `raw/live/`: which epochs are there, in which files, and which are complete.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::lost::Lost;
use crate::error::{Corruption, Result};
use crate::format::layout::Layout;
use crate::format::names::RawName;
use crate::format::raw::{BlockError, Header, Seal};
use crate::ids::{Epoch, ShardId};
use crate::io::disk::{Disk, Transfer};

/// What was in `raw/live/` at one moment.
#[derive(Clone, Debug, Default)]
pub struct LiveView {
    /// Everything that belongs to an epoch, in order.
    pub epochs: BTreeMap<Epoch, EpochView>,
    /// Segments that were made ready and are not in use.
    pub ready: Vec<ReadyFile>,
    /// Ready files whose header block is damaged, so that nothing tells what they are.
    pub unusable: Vec<UnusableFile>,
}

/// What there is of one epoch.
#[derive(Clone, Debug)]
pub struct EpochView {
    /// The epoch.
    pub epoch: Epoch,
    /// Its segments, ordered by shard and part; a segment of the original comes first.
    pub segments: Vec<SegmentView>,
    /// What recovery reported lost, if the epoch has a .lost file.
    pub lost: Option<Result<Lost, Corruption>>,
}

/// One raw segment.
#[derive(Clone, Debug)]
pub struct SegmentView {
    /// Where it is.
    pub path: PathBuf,
    /// The name that it has or will get: [`RawName::Segment`] or [`RawName::Legacy`].
    pub name: RawName,
    /// What its first blocks say.
    pub state: SegmentState,
}

/// What the first blocks of a raw segment say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SegmentState {
    /// A segment of the original, which has none.
    Legacy {
        /// Length of the file.
        bytes: u64,
    },
    /// Being written, or left so by a crash.
    Open(Header),
    /// Complete.
    Sealed(Header, Seal),
    /// The seal block is neither empty nor valid: being written just now, or damaged.
    SealDamaged(Header, BlockError),
    /// The header block is not valid, though the file's name says that it was.
    HeaderDamaged(BlockError),
}

/// A segment made ready and not in use: its header block is zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadyFile {
    /// The N of `ready-N.rawlog`.
    pub number: u64,
    /// Where it is.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
}

/// A ready file whose header block is neither zero nor valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnusableFile {
    /// The file as it would be if its header were zero.
    pub file: ReadyFile,
    /// What is wrong with the header block.
    pub error: BlockError,
    /// Whether the seal block is zero: then nothing in the file was ever durable, and it may be reset.
    pub never_sealed: bool,
}

impl LiveView {
    /// Takes a look. The view is consistent: it is as `raw/live/` was at one moment, and an epoch is not missing
    /// from it if any record of a later one is there. A missing folder is an empty one.
    ///
    /// # Errors
    /// The disk's; also if the folder changed ten times while looking.
    pub async fn look<D: Disk>(_disk: &D, _layout: &Layout, _transfer: Transfer) -> Result<Self> {
        unimplemented!("contract only")
    }

    /// Whether all that there will ever be of `epoch` is on disk.
    ///
    /// A segment of the original is complete when a later epoch is there, or when recovery left a .lost file.
    #[must_use]
    pub fn is_complete(&self, _epoch: Epoch) -> bool {
        unimplemented!("contract only")
    }

    /// The complete epochs from `from` on, in order, up to the first that is not complete: what may be dealt.
    pub fn complete_from(&self, _from: Epoch) -> impl Iterator<Item = &EpochView> {
        self.epochs.values()
    }

    /// The greatest epoch of which there is anything.
    #[must_use]
    pub fn greatest_epoch(&self) -> Option<Epoch> {
        self.epochs.last_key_value().map(|(epoch, _)| *epoch)
    }
}

impl SegmentView {
    /// The shard that wrote it; `None` for a segment of the original.
    #[must_use]
    pub const fn shard(&self) -> Option<ShardId> {
        match self.name {
            RawName::Segment { shard, .. } => Some(shard),
            RawName::Legacy(_) | RawName::Ready(_) | RawName::Lost(_) => None,
        }
    }
}
