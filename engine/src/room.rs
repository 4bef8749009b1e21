//! How much room a drive keeps, and who stops first when it gets scarce.
//!
//! Nothing that this program does by itself takes of the reserve. Batches stop first: they leave room, besides the reserve,
//! to deal everything that was received, so that dealing never waits for what only dealing can free. Dealing, sorting
//! and optimizing begin only what leaves the reserve whole. What is given up below twice the reserve goes back to the
//! filesystem. With a reserve of zero the drive itself says when it is full.

use crate::io::disk::Space;

/// Files that a filesystem must have room for: dealing makes two for each index.
const FREE_FILES_MIN: u64 = 1024;
/// Of a small filesystem: this part of all the files that it can hold.
const FREE_FILES_PART: u64 = 8;

/// What is kept free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reserve {
    bytes: u64,
}

impl Reserve {
    /// Keeps so many bytes; and of files a number that goes by the filesystem.
    #[must_use]
    pub const fn new(bytes: u64) -> Self {
        Self { bytes }
    }

    /// Whether `wanted` bytes more leave the reserve whole.
    #[must_use]
    pub const fn admits(self, room: &Space, wanted: u64) -> bool {
        // Half of the files: sorting makes few and removes many.
        self.bytes == 0
            || (room.available_bytes >= self.bytes.saturating_add(wanted)
                && room.available_files >= files_min(room) / 2)
    }

    /// Whether what is given up should go back to the filesystem rather than wait to be used again.
    #[must_use]
    pub const fn is_scarce(self, room: &Space) -> bool {
        room.available_bytes < self.bytes.saturating_mul(2)
    }
}

/// Fewer free files than these are too few; 0 on a filesystem without a bound.
#[must_use]
pub const fn files_min(room: &Space) -> u64 {
    let part = room.total_files / FREE_FILES_PART;
    if part < FREE_FILES_MIN { part } else { FREE_FILES_MIN }
}

/// Whether batches are taken, by how much room there is. Clears itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gate {
    reserve: Reserve,
    open: bool,
}

impl Gate {
    /// Open.
    #[must_use]
    pub const fn new(reserve: Reserve) -> Self {
        Self { reserve, open: true }
    }

    /// What must be free now, besides `undealt` bytes that dealing will take: the reserve to go on, twice as much to begin
    /// again.
    #[must_use]
    pub const fn bytes_min(&self, undealt: u64) -> u64 {
        let times = if self.open { 1 } else { 2 };
        if self.reserve.bytes == 0 {
            0
        } else {
            self.reserve.bytes.saturating_mul(times).saturating_add(undealt)
        }
    }

    /// Looks at the room; whether batches are to be taken. `undealt` is what dealing will take of the same filesystem.
    pub fn observe(&mut self, room: &Space, undealt: u64) -> bool {
        let times = if self.open { 1 } else { 2 };
        self.open = room.available_bytes >= self.bytes_min(undealt)
            && room.available_files >= files_min(room).saturating_mul(times);
        self.open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(available_bytes: u64, available_files: u64) -> Space {
        Space { total_bytes: 10_000, available_bytes, total_files: 48, available_files }
    }

    #[test]
    fn appends_resume_at_twice_the_floor() {
        let mut gate = Gate::new(Reserve::new(100));
        let seen = [150, 100, 99, 100, 199, 200, 100].map(|bytes| gate.observe(&room(bytes, 48), 0));
        assert_eq!(seen, [true, true, false, false, false, true, true]);
    }

    #[test]
    fn a_filesystem_that_holds_no_more_files_is_full() {
        let mut gate = Gate::new(Reserve::new(100));
        let seen = [7, 6, 5, 6, 11, 12, 6].map(|files| gate.observe(&room(1_000, files), 0));
        assert_eq!(seen, [true, true, false, false, false, true, true]);
    }

    #[test]
    fn batches_leave_the_room_that_dealing_them_takes() {
        let reserve = Reserve::new(100);
        let mut gate = Gate::new(reserve);
        assert!(gate.observe(&room(150, 48), 50) && reserve.admits(&room(150, 48), 50));
        assert!(!gate.observe(&room(149, 48), 50) && !reserve.admits(&room(149, 48), 50));
        assert!(!gate.observe(&room(249, 48), 50) && gate.observe(&room(250, 48), 50));
    }

    #[test]
    fn without_a_reserve_the_drive_itself_is_asked() {
        let (reserve, empty) = (Reserve::new(0), room(0, 48));
        assert!(reserve.admits(&empty, 1 << 40) && !reserve.is_scarce(&empty));
        assert!(Gate::new(reserve).observe(&empty, 1 << 40));
    }
}
