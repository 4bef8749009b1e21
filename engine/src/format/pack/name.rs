use std::fmt;

use super::cell::Cell;
use crate::ids::{Epoch, Position};

/// A stretch of the raw log: from a position on, up to but without another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackRange {
    first: Position,
    end: Position,
}

impl PackRange {
    /// From `first` on, up to but without `end`; `None` if that is nothing.
    #[must_use]
    pub fn new(first: Position, end: Position) -> Option<Self> {
        (first < end).then_some(Self { first, end })
    }

    /// Its first position.
    #[must_use]
    pub const fn first(self) -> Position {
        self.first
    }

    /// The position after its last one.
    #[must_use]
    pub const fn end(self) -> Position {
        self.end
    }

    /// Whether all of `other` lies in it.
    #[must_use]
    pub fn holds_all(self, other: Self) -> bool {
        self.first <= other.first && other.end <= self.end
    }
}

/// `EPOCH.ORDINAL-EPOCH.ORDINAL`
impl fmt::Display for PackRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, end } = self;
        write!(f, "{}.{}-{}.{}", first.epoch(), first.ordinal(), end.epoch(), end.ordinal())
    }
}

/// Where a pack stands among the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PackKind {
    /// Dealt, or merged from such; holds all cells.
    Recent,
    /// The bottom one of its cell: everything that came before its end.
    Base,
}

impl PackKind {
    /// The word in file names.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Recent => "recent",
            Self::Base => "base",
        }
    }
}

/// Name of a pack: `FIRST-END_GENERATION_CELL.recent` or `.base`, FIRST and END as `EPOCH.ORDINAL`, CELL `all` or bits.
/// The original's pattern passes over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackName {
    range: PackRange,
    generation: u32,
    cell: Cell,
    kind: PackKind,
}

impl PackName {
    /// That of a recent pack, which holds all cells.
    #[must_use]
    pub const fn recent(range: PackRange, generation: u32) -> Self {
        Self { range, generation, cell: Cell::ALL, kind: PackKind::Recent }
    }

    /// That of the base of a cell.
    #[must_use]
    pub const fn base(range: PackRange, generation: u32, cell: Cell) -> Self {
        Self { range, generation, cell, kind: PackKind::Base }
    }

    /// The stretch of the raw log whose records it holds.
    #[must_use]
    pub const fn range(&self) -> PackRange {
        self.range
    }

    /// Which of the packs of one range it is: never used twice.
    #[must_use]
    pub const fn generation(&self) -> u32 {
        self.generation
    }

    /// The codes whose records it holds.
    #[must_use]
    pub const fn cell(&self) -> Cell {
        self.cell
    }

    /// Where it stands among the others.
    #[must_use]
    pub const fn kind(&self) -> PackKind {
        self.kind
    }

    /// Parses a name; `None` for what is not a pack's.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let (stem, word) = name.rsplit_once('.')?;
        let mut parts = stem.split('_');
        let (first, end) = parts.next()?.split_once('-')?;
        let range = PackRange::new(position(first)?, position(end)?)?;
        let generation = parts.next()?.parse().ok()?;
        let cell = Cell::parse(parts.next()?)?;
        let parsed = match word {
            "recent" if cell == Cell::ALL => Self::recent(range, generation),
            "base" => Self::base(range, generation, cell),
            _ => return None,
        };
        // One name for one thing: no leading zeros or signs, nothing after it.
        (parsed.to_string() == name).then_some(parsed)
    }
}

impl fmt::Display for PackName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { range, generation, cell, kind } = self;
        write!(f, "{range}_{generation}_{cell}.{}", kind.word())
    }
}

fn position(text: &str) -> Option<Position> {
    let (epoch, ordinal) = text.split_once('.')?;
    let epoch = Epoch::new(epoch.parse().ok()?)?;
    // Only the end of the log after the last epoch has the greatest ordinal.
    let ordinal: u32 = ordinal.parse().ok()?;
    (ordinal < 1 << crate::limits::ORDINAL_BITS).then(|| Position::new(epoch, ordinal))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_the_documentation_shows() {
        for name in [
            "1795913298397.0-1795913300983.0_0_all.recent",
            "0.0-1795913325821.0_3_0101.base",
            "0.0-1.0_4294967295_all.base",
            "4398046511103.0-4398046511103.4194303_0_all.recent",
        ] {
            assert_eq!(PackName::parse(name).unwrap().to_string(), name);
        }
    }

    #[test]
    fn what_is_not_exactly_a_name_is_none() {
        for other in [
            "",
            "1.0-2.0_0_all",
            "1.0-2.0_0_all.old",
            "1.0-2.0_0_01.recent",
            "1.0-1.0_0_all.recent",
            "2.0-1.0_0_all.recent",
            "01.0-2.0_0_all.recent",
            "1.00-2.0_0_all.recent",
            "+1.0-2.0_0_all.recent",
            "1.0-2.0_00_all.recent",
            "1.0-2.0_4294967296_all.recent",
            "1.0-2.0_0_all.recent.sum",
            "1.0-2.0_0_all_1.recent",
            "1-2.0_0_all.recent",
            "1.4194304-2.0_0_all.recent",
            "4398046511104.0-4398046511105.0_0_all.recent",
            ".tmp-1.0-2.0_0_all.recent",
            "1.0-2.0_0_012.base",
            "1.0-2.0_0_.base",
        ] {
            assert_eq!(PackName::parse(other), None, "{other:?}");
        }
    }

    #[test]
    fn no_segment_or_raw_file_has_a_name_of_a_pack() {
        use crate::format::names::{RawName, SegmentName};
        let name = "1.0-2.0_0_all.recent";
        assert!(SegmentName::parse(name).is_none() && RawName::parse(name).is_none());
        for other in ["2026.11.22-10.33.41.999.sorted_3", "1795343512642-3-0.rawlog", "7.raw", "last_read"] {
            assert_eq!(PackName::parse(other), None, "{other}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_name_round_trips(a: u64, b: u64, generation: u32, prefix: u32, bits in 0..=32_u8) {
            let Some(range) = PackRange::new(Position::from_packed(a.min(b)), Position::from_packed(a.max(b)))
            else { return Ok(()) };
            let prefix = (0..bits).fold(0, |mask, bit| mask | prefix & 1 << (31 - bit));
            let base = PackName::base(range, generation, Cell::new(prefix, bits).unwrap());
            for name in [base, PackName::recent(range, generation)] {
                proptest::prop_assert_eq!(PackName::parse(&name.to_string()), Some(name));
            }
        }
    }
}
