//! `identity`: to which tree a folder belongs.
//!
//! ```text
//! STATE IDENTITY  "pending" or "final"; 32 hex digits
//! end CRC32C      over all bytes before this line, in decimal
//! ```
//!
//! It is pending only in the data directory, and only while raw/ may not have it yet.

use std::fmt;
use std::path::Path;

use crate::error::Corruption;
use crate::io::disk::{Disk, DiskResult, EntryKind};
use crate::store::{Small, Store};

/// A line of 41 bytes and one of at most 15.
const IDENTITY_BYTES_MAX: usize = 64;

/// What a data directory and its raw/ have in common, and nothing else has: 128 random bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity(u128);

impl Identity {
    /// Of random bytes.
    #[must_use]
    pub const fn new(random: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(random))
    }

    fn parse(digits: &str) -> Option<Self> {
        let canonical =
            digits.len() == 32 && digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
        canonical.then(|| u128::from_str_radix(digits, 16).ok().map(Self)).flatten()
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// What such a file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// The other folder may not have it yet.
    Pending(Identity),
    /// The other folder has it.
    Final(Identity),
}

impl Written {
    /// The file's text.
    #[must_use]
    pub fn encode(self) -> String {
        let line = match self {
            Self::Pending(identity) => format!("pending {identity}\n"),
            Self::Final(identity) => format!("final {identity}\n"),
        };
        let checksum = crc32c::crc32c(line.as_bytes());
        format!("{line}end {checksum}\n")
    }

    /// Reads the file's text.
    ///
    /// # Errors
    /// Byte offset of what is wrong, and what it is.
    pub fn decode(text: &[u8]) -> Result<Self, (u64, String)> {
        let text =
            std::str::from_utf8(text).map_err(|error| (error.valid_up_to() as u64, "not text".to_owned()))?;
        let (line, closing) = text.split_once('\n').ok_or((0, "the first line is cut off".to_owned()))?;
        let (state, digits) = line.split_once(' ').unwrap_or_default();
        let written = match (state, Identity::parse(digits)) {
            ("pending", Some(identity)) => Self::Pending(identity),
            ("final", Some(identity)) => Self::Final(identity),
            _ => return Err((0, format!("{line:?} is no identity"))),
        };
        if text != written.encode() {
            return Err((text.len() as u64 - closing.len() as u64, "the checksum does not match".to_owned()));
        }
        Ok(written)
    }
}

/// What a folder says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Nothing: it is new, or older than identities.
    None,
    /// It has an identity.
    Some(Written),
    /// There is a file, and it can't be understood.
    Unreadable(Corruption),
}

impl Mark {
    /// Reads it from the file at `path`.
    ///
    /// # Errors
    /// The disk's.
    pub async fn read<D: Disk>(store: &Store<D>, path: &Path) -> DiskResult<Self> {
        let unreadable =
            |(offset, what)| Self::Unreadable(Corruption { path: path.to_owned(), offset, what });
        match store.disk().metadata(path).await? {
            None => return Ok(Self::None),
            Some(found) if found.kind != EntryKind::File => {
                return Ok(unreadable((0, "not a file".to_owned())));
            }
            Some(_) => {}
        }
        Ok(match store.read_small(path, IDENTITY_BYTES_MAX).await? {
            Small::Whole(bytes) => Written::decode(&bytes).map_or_else(unreadable, Self::Some),
            Small::Missing => Self::None,
            Small::TooLong => {
                unreadable((IDENTITY_BYTES_MAX as u64, "longer than such a file can be".to_owned()))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::layout::Layout;
    use crate::testing::{MemDisk, run};

    fn identity() -> Identity {
        Identity::new([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255])
    }

    #[test]
    fn round_trips_and_every_damage_is_found() {
        for written in [Written::Pending(identity()), Written::Final(identity())] {
            let text = written.encode();
            assert!(text.contains(" 000102030405060708090a0b0c0d0eff\nend "), "{text}");
            assert!(text.len() <= IDENTITY_BYTES_MAX);
            assert_eq!(Written::decode(text.as_bytes()).unwrap(), written);
            for len in 0..text.len() {
                Written::decode(&text.as_bytes()[..len]).unwrap_err();
            }
            for bit in 0..text.len() * 8 {
                let mut damaged = text.clone().into_bytes();
                damaged[bit / 8] ^= 1 << (bit % 8);
                Written::decode(&damaged).unwrap_err();
            }
        }
    }

    #[test]
    fn what_is_no_identity_is_named() {
        let read = |bytes: &[u8]| {
            let disk = MemDisk::new();
            disk.put("/data/identity", bytes);
            run(Mark::read(
                &Store::new(disk.clone(), Layout::new(Path::new("/data"), None)),
                Path::new("/data/identity"),
            ))
            .unwrap()
        };
        let good = Written::Final(identity()).encode();
        assert_eq!(read(good.as_bytes()), Mark::Some(Written::Final(identity())));
        for wrong in ["", "\n", "final\n", &format!("{good}\n"), &good.to_uppercase(), &"x".repeat(100)] {
            assert!(matches!(read(wrong.as_bytes()), Mark::Unreadable(_)), "{wrong:?}");
        }
        let disk = MemDisk::new();
        disk.put("/data/identity/x", b"");
        assert!(matches!(
            run(Mark::read(
                &Store::new(disk.clone(), Layout::new(Path::new("/data"), None)),
                Path::new("/data/identity")
            )),
            Ok(Mark::Unreadable(_))
        ));
        assert_eq!(
            run(Mark::read(
                &Store::new(disk.clone(), Layout::new(Path::new("/data"), None)),
                Path::new("/data/else")
            ))
            .unwrap(),
            Mark::None
        );
    }
}
