//! `dealer.next_timestamp.info`: decimal milliseconds, the next epoch to deal.

use crate::error::{Corruption, Result};
use crate::format::layout::Layout;
use crate::ids::Epoch;
use crate::io::disk::Disk;

/// What the file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checkpoint {
    /// There is none: nothing was dealt yet.
    Missing,
    /// Every epoch before this one is dealt; segments of indexes from this time on don't count.
    At(Epoch),
    /// It is there and says nothing: the original truncates it before writing.
    Unreadable(Corruption),
}

impl Checkpoint {
    /// Reads it.
    ///
    /// # Errors
    /// The disk's.
    pub async fn read<D: Disk>(_disk: &D, _layout: &Layout) -> Result<Self> {
        unimplemented!("contract only")
    }

    /// The next epoch to deal; [`Epoch::ZERO`] if there is no checkpoint.
    ///
    /// # Errors
    /// The corruption, if it is unreadable; [`repair`] mends it.
    pub fn next(self) -> Result<Epoch, Corruption> {
        match self {
            Self::Missing => Ok(Epoch::ZERO),
            Self::At(epoch) => Ok(epoch),
            Self::Unreadable(corruption) => Err(corruption),
        }
    }
}

/// Sets the checkpoint, durably.
///
/// # Errors
/// The disk's; the file then holds what it held before.
pub async fn advance<D: Disk>(_disk: &D, _layout: &Layout, _next: Epoch) -> Result<()> {
    unimplemented!("contract only")
}

/// Mends the checkpoint where the original left it torn or behind, and returns what it says now. To be called
/// under dealer.lock, before anything is dealt or read.
///
/// # Errors
/// The disk's.
pub async fn repair<D: Disk>(_disk: &D, _layout: &Layout) -> Result<Epoch> {
    unimplemented!("contract only")
}
