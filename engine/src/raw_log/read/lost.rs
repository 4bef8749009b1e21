//! `EPOCH.lost`: which positions of an epoch recovery found missing.
//!
//! ```text
//! FIRST COUNT     one line a gap: its first ordinal and how many, in decimal, ascending, not touching
//! end CRC32C      over all bytes before this line, in decimal
//! ```
//!
//! A file without gaps says that recovery has been over the epoch and could prove nothing missing.

use std::fmt::Write as _;
use std::path::Path;

use crate::error::{Corruption, Result};
use crate::ids::Epoch;
use crate::io::disk::{Disk, DiskFile, Transfer};
use crate::limits::ORDINAL_BITS;
use crate::store::Store;

/// More than a gap for every other ordinal of an epoch takes.
const LOST_BYTES_MAX: u64 = 64 << 20;

/// The gaps of an epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The epoch.
    pub epoch: Epoch,
    /// First ordinal and the one behind the last of each gap; ascending, not touching.
    pub gaps: Vec<(u32, u32)>,
}

impl Lost {
    /// How many records were lost.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.gaps.iter().map(|(first, end)| u64::from(end - first)).sum()
    }

    /// The file's text.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut text = String::new();
        for (first, end) in &self.gaps {
            writeln!(text, "{first} {}", end - first).expect("a string takes everything");
        }
        let checksum = crc32c::crc32c(text.as_bytes());
        writeln!(text, "end {checksum}").expect("a string takes everything");
        text
    }

    /// Reads the file's text.
    ///
    /// # Errors
    /// Byte offset of what is wrong, and what it is.
    pub fn decode(epoch: Epoch, text: &[u8]) -> Result<Self, (u64, String)> {
        let text =
            std::str::from_utf8(text).map_err(|error| (error.valid_up_to() as u64, "not text".to_owned()))?;
        let body =
            text.strip_suffix('\n').ok_or((text.len() as u64, "the last line is cut off".to_owned()))?;
        let last = body.rfind('\n').map_or(0, |newline| newline + 1);
        let (body, closing) = body.split_at(last);
        let checksum = closing.strip_prefix("end ").and_then(|number| number.parse().ok());
        if checksum != Some(crc32c::crc32c(body.as_bytes())) {
            return Err((last as u64, "the checksum does not match".to_owned()));
        }
        let mut gaps = Vec::new();
        let (mut offset, mut least) = (0, 0);
        for line in body.lines() {
            let gap = parse_gap(line).filter(|(first, _)| *first >= least);
            let (first, end) = gap.ok_or_else(|| (offset, format!("{line:?} is not the next gap")))?;
            gaps.push((first, end));
            least = end + 1;
            offset += line.len() as u64 + 1;
        }
        Ok(Self { epoch, gaps })
    }

    /// Reads a .lost file; the inner error is damage to it.
    ///
    /// # Errors
    /// The disk's.
    pub async fn read<D: Disk>(disk: &D, path: &Path, epoch: Epoch) -> Result<Result<Self, Corruption>> {
        let corrupt = |offset, what| Corruption { path: path.to_owned(), offset, what };
        let file = disk.open(path, Transfer::Cached).await?;
        let len = file.len().await?;
        if len > LOST_BYTES_MAX {
            return Ok(Err(corrupt(LOST_BYTES_MAX, "longer than such a file can be".to_owned())));
        }
        let capacity = usize::try_from(len).expect("checked above");
        let (result, buffer) = file.read_at(crate::io::buffers::AlignedBuf::with_capacity(capacity), 0).await;
        result?;
        Ok(Self::decode(epoch, &buffer).map_err(|(offset, what)| corrupt(offset, what)))
    }

    /// Writes it, durably and whole or not at all.
    ///
    /// # Errors
    /// The disk's.
    pub async fn publish<D: Disk>(&self, store: &Store<D>, path: &Path) -> Result<()> {
        Ok(store.publish(path, self.encode().as_bytes()).await?)
    }
}

fn parse_gap(line: &str) -> Option<(u32, u32)> {
    let (first, count) = line.split_once(' ')?;
    let (first, count): (u32, u32) = (first.parse().ok()?, count.parse().ok()?);
    let end = first.checked_add(count)?;
    (count > 0 && end <= 1 << ORDINAL_BITS).then_some((first, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch() -> Epoch {
        Epoch::new(7).unwrap()
    }

    #[test]
    fn round_trips_and_every_damage_is_found() {
        let lost = Lost { epoch: epoch(), gaps: vec![(0, 3), (10, 11), (1 << 21, 1 << 22)] };
        let text = lost.encode();
        assert!(text.starts_with("0 3\n10 1\n"), "{text}");
        assert_eq!(Lost::decode(epoch(), text.as_bytes()).unwrap(), lost);
        assert_eq!(lost.records(), 3 + 1 + (1 << 21));
        for len in 0..text.len() {
            Lost::decode(epoch(), &text.as_bytes()[..len]).unwrap_err();
        }
        for bit in 0..text.len() * 8 {
            let mut damaged = text.clone().into_bytes();
            damaged[bit / 8] ^= 1 << (bit % 8);
            Lost::decode(epoch(), &damaged).unwrap_err();
        }
    }

    #[test]
    fn gaps_must_be_in_order_and_in_range() {
        for body in ["5 1\n4 1\n", "5 1\n6 1\n", "5 0\n", "4194304 1\n", "x 1\n", "1\n"] {
            let text = format!("{body}end {}\n", crc32c::crc32c(body.as_bytes()));
            Lost::decode(epoch(), text.as_bytes()).unwrap_err();
        }
        let none = Lost { epoch: epoch(), gaps: Vec::new() };
        assert_eq!(none.encode(), "end 0\n");
        assert_eq!(Lost::decode(epoch(), b"end 0\n").unwrap(), none);
    }
}
