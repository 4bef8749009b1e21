//! Typed identities and positions; none converts into another by accident.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use crate::limits;

/// Identity of an epoch: a slice of the raw log over all shards, and the unit of dealing.
///
/// It is at once the epoch's creation time in milliseconds (UTC) and strictly greater than each earlier
/// epoch, so it orders segments and names files, and a clock that steps back changes neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Epoch(u64);

impl Epoch {
    /// Before all epochs.
    pub const ZERO: Self = Self(0);
    /// The greatest epoch a [`Position`] can hold: some day in the year 2109.
    pub const MAX: Self = Self((1 << limits::EPOCH_BITS) - 1);

    /// The epoch of this number, if it is one.
    #[must_use]
    pub const fn new(millis: u64) -> Option<Self> {
        if millis <= Self::MAX.0 { Some(Self(millis)) } else { None }
    }

    /// A clock that shows a later time (the year 2105 or more) is not believed: it would use up the epochs.
    const CLOCK_MAX: u64 = Self::MAX.0 - (1 << 37);

    /// Milliseconds since 1970-01-01 UTC.
    #[must_use]
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// The least epoch after this one; the last one there is (in the year 2109) stays.
    #[must_use]
    pub const fn next(self) -> Self {
        Position::after(self).epoch()
    }

    /// The epoch to open after this one when the wall clock shows `now`: never this one or an earlier one.
    ///
    /// # Panics
    /// If epochs are exhausted (the year 2109): going on would break the order of the log.
    #[must_use]
    pub fn successor(self, now: crate::time::WallMillis) -> Self {
        assert!(self < Self::MAX, "epochs are exhausted");
        let now = if now.0 > Self::CLOCK_MAX { 0 } else { now.0 };
        crate::mutant::or_bug!(EpochByClock, Self(now.max(self.0 + 1)), Self(now))
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Place of a record in the order of the whole raw log, over all shards: (epoch, ordinal in the epoch).
///
/// Ordinals are dense: in an epoch that lost nothing, each from 0 to the epoch's record count is used once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position(u64);

impl Position {
    /// Before all records.
    pub const ZERO: Self = Self(0);

    /// The position of ordinal `ordinal` in `epoch`.
    ///
    /// # Panics
    /// If the ordinal has more than [`limits::ORDINAL_BITS`] bits; the sequencer seals long before.
    #[must_use]
    pub const fn new(epoch: Epoch, ordinal: u32) -> Self {
        assert!(ordinal < 1 << limits::ORDINAL_BITS, "ordinal out of range");
        Self(epoch.0 << limits::ORDINAL_BITS | ordinal as u64)
    }

    /// The first position after all of `epoch`; of the last epoch there is (in the year 2109), its last position.
    #[must_use]
    pub const fn after(epoch: Epoch) -> Self {
        match Epoch::new(epoch.0 + 1) {
            Some(next) => Self::new(next, 0),
            None => Self(u64::MAX),
        }
    }

    /// From its packed form, as stored in frames; each u64 is one.
    #[must_use]
    pub const fn from_packed(packed: u64) -> Self {
        Self(packed)
    }

    /// Epoch in the high bits, ordinal in the low ones.
    #[must_use]
    pub const fn packed(self) -> u64 {
        self.0
    }

    /// The epoch.
    #[must_use]
    pub const fn epoch(self) -> Epoch {
        Epoch(self.0 >> limits::ORDINAL_BITS)
    }

    /// The place in the epoch, from 0.
    #[must_use]
    pub const fn ordinal(self) -> u32 {
        (self.0 & ((1 << limits::ORDINAL_BITS) - 1)) as u32
    }

    /// The position `records` further on in the same epoch.
    #[must_use]
    pub const fn advanced(self, records: u32) -> Self {
        Self::new(self.epoch(), self.ordinal() + records)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.epoch(), self.ordinal())
    }
}

/// Number of a shard, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(pub u16);

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Name of an index, checked: it becomes the name of a folder.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IndexCode(Arc<str>);

/// Why bytes are not an index code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "an index_code is 1 to {} of the characters A-Z a-z 0-9 . _ - and does not begin with a dot",
    limits::INDEX_CODE_BYTES_MAX
)]
pub struct InvalidIndexCode;

impl IndexCode {
    /// Whether `bytes` can name an index: 1 to 128 of `[A-Za-z0-9._-]`, not beginning with a dot.
    #[must_use]
    pub fn is_valid(bytes: &[u8]) -> bool {
        (1..=limits::INDEX_CODE_BYTES_MAX).contains(&bytes.len())
            && bytes[0] != b'.'
            && bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
    }

    /// The index of this name.
    ///
    /// # Errors
    /// If it can't name an index.
    pub fn new(bytes: &[u8]) -> Result<Self, InvalidIndexCode> {
        match std::str::from_utf8(bytes) {
            Ok(text) if Self::is_valid(bytes) => Ok(Self(text.into())),
            _ => Err(InvalidIndexCode),
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// So that a map by code can be asked for bytes just received.
impl Borrow<str> for IndexCode {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IndexCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for IndexCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::WallMillis;

    #[test]
    fn positions_order_by_epoch_then_ordinal() {
        let early = Position::new(Epoch::new(7).unwrap(), 9);
        let late = Position::new(Epoch::new(8).unwrap(), 0);
        assert!(early < late);
        assert_eq!((late.epoch().millis(), late.ordinal()), (8, 0));
        assert_eq!(Position::from_packed(early.packed()), early);
    }

    #[test]
    fn what_comes_after_the_last_epoch_is_its_end() {
        let epoch = Epoch::new(7).unwrap();
        assert_eq!((epoch.next().millis(), Position::after(epoch)), (8, Position::new(epoch.next(), 0)));
        assert_eq!((Epoch::MAX.next(), Position::after(Epoch::MAX).epoch()), (Epoch::MAX, Epoch::MAX));
        assert!(Position::after(Epoch::MAX) > Position::new(Epoch::MAX, 0));
    }

    #[test]
    fn an_epoch_never_goes_back_whatever_the_clock_shows() {
        let epoch = Epoch::new(1_000).unwrap();
        assert_eq!(epoch.successor(WallMillis(5)).millis(), 1_001);
        assert_eq!(epoch.successor(WallMillis(2_000)).millis(), 2_000);
        for ahead in [u64::MAX, Epoch::MAX.millis(), Epoch::MAX.millis() - 1] {
            assert_eq!(epoch.successor(WallMillis(ahead)).millis(), 1_001, "a clock does not use epochs up");
        }
    }

    #[test]
    fn index_codes_cannot_leave_the_folder() {
        for bad in ["", ".", "..", "../x", "/etc", "a/b", "a\0b", ".hidden", "ünï", &"e".repeat(129)] {
            assert!(IndexCode::new(bad.as_bytes()).is_err(), "{bad:?}");
        }
        for good in ["m", "A-b_c.9", &"e".repeat(128)] {
            assert_eq!(IndexCode::new(good.as_bytes()).unwrap().as_str(), good);
        }
    }
}
