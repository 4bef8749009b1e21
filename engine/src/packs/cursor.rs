//! All slices of a pack, or of one cell of it, in the order of (hash, code), read from the beginning to the end.

use super::group::Group;
use super::open_pack::OpenPack;
use super::pack_file::Window;
use super::slice::OpenSlice;
use crate::error::Result;
use crate::format::pack::{Cell, CodeHash, ListPlace};
use crate::io::disk::Disk;

/// The slices of a pack, one after the other.
///
/// It holds one directory block and the window that is read at once.
pub struct Cursor<'p, D: Disk> {
    pack: &'p OpenPack<D>,
    cell: Cell,
    window: Window,
    // The directory block at hand, and the slice in it that comes next.
    group: Option<(Group, ListPlace)>,
    next_group: usize,
}

impl<'p, D: Disk> Cursor<'p, D> {
    /// The slices of the indexes in `cell`, read about `window_bytes` at once.
    #[must_use]
    pub fn new(pack: &'p OpenPack<D>, cell: Cell, window_bytes: usize) -> Self {
        let next_group = pack.fences().first_of(cell);
        Self { pack, cell, window: Window::over(pack.file(), window_bytes), group: None, next_group }
    }

    /// The next slice; `None` at the end.
    ///
    /// # Errors
    /// The disk's, or corruption of a slice, or of a directory block and the labels of its slices: the next call gives
    /// what comes after that.
    pub async fn advance(&mut self) -> Result<Option<OpenSlice<D>>> {
        loop {
            let Some((group, place)) = &mut self.group else {
                if !self.next_group().await? {
                    return Ok(None);
                }
                continue;
            };
            let Some(listed) = group.directory().next(place) else {
                self.group = None;
                continue;
            };
            let hash = CodeHash::of(listed.entry.code);
            if hash > self.cell.last() {
                (self.group, self.next_group) = (None, self.pack.fences().len());
                return Ok(None);
            }
            if hash < self.cell.first() {
                continue;
            }
            let finding = group.finding().cloned();
            let slice =
                OpenSlice::open(self.pack.file(), &mut self.window, self.pack.name(), &listed).await?;
            return Ok(Some(slice.with_finding(finding)));
        }
    }

    // Reads the next directory block; false if there is none in the cell.
    async fn next_group(&mut self) -> Result<bool> {
        let fences = self.pack.fences();
        let number = self.next_group;
        if number >= fences.len() || fences.get(number).key().0 > self.cell.last() {
            return Ok(false);
        }
        self.next_group += 1;
        let group = self.pack.group(number).await?;
        let place = group.directory().begin();
        self.group = Some((group, place));
        Ok(true)
    }
}
