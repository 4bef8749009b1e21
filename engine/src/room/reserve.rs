//! What is kept free.

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

    /// In bytes; 0 if the drive itself says when it is full.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.bytes
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

#[cfg(test)]
mod tests {
    use super::*;

    fn room(available_bytes: u64, available_files: u64) -> Space {
        Space { total_bytes: 10_000, available_bytes, total_files: 48, available_files }
    }

    #[test]
    fn what_is_wanted_leaves_the_reserve_whole() {
        let reserve = Reserve::new(100);
        assert!(reserve.admits(&room(150, 3), 50) && !reserve.admits(&room(149, 3), 50));
        assert!(!reserve.admits(&room(150, 2), 50), "files are kept free, too");
        assert!(reserve.is_scarce(&room(199, 48)) && !reserve.is_scarce(&room(200, 48)));
    }

    #[test]
    fn without_a_reserve_the_drive_itself_is_asked() {
        let (reserve, empty) = (Reserve::new(0), room(0, 48));
        assert!(reserve.admits(&empty, 1 << 40) && !reserve.is_scarce(&empty));
    }
}
