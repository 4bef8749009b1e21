use std::fmt;

/// Most bits that a cell can have: all of a hash.
pub(crate) const CELL_BITS_MAX: u8 = 32;

/// The hash of an index code, by which slices are ordered and cells are cut.
///
/// It stands in files and decides in which of them an index is: never to be changed without a new version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CodeHash(u32);

impl CodeHash {
    /// That of this code.
    #[must_use]
    pub fn of(code: &[u8]) -> Self {
        // The checksum alone is linear: codes that count up would share their high bits. This spreads them.
        let mut mixed = crc32c::crc32c(code);
        mixed ^= mixed >> 16;
        mixed = mixed.wrapping_mul(0x7feb_352d);
        mixed ^= mixed >> 15;
        mixed = mixed.wrapping_mul(0x846c_a68b);
        Self(mixed ^ (mixed >> 16))
    }

    /// The hash of this value.
    #[must_use]
    pub const fn new(value: u32) -> Self {
        Self(value)
    }

    /// Its value.
    #[must_use]
    pub const fn value(self) -> u32 {
        self.0
    }
}

/// The codes whose hash begins with given bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cell {
    // The bits, as the high ones; the others are zero.
    prefix: u32,
    bits: u8,
}

impl Cell {
    /// All codes.
    pub const ALL: Self = Self { prefix: 0, bits: 0 };

    /// The cell of the codes whose hash begins with the `bits` high bits of `prefix`; `None` if there are more than
    /// [`CELL_BITS_MAX`], or if one of the other bits of `prefix` is set.
    #[must_use]
    pub const fn new(prefix: u32, bits: u8) -> Option<Self> {
        if bits > CELL_BITS_MAX || prefix & !mask(bits) != 0 { None } else { Some(Self { prefix, bits }) }
    }

    /// Its bits, as the high ones of a hash.
    #[must_use]
    pub const fn prefix(self) -> u32 {
        self.prefix
    }

    /// How many bits it has.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.bits
    }

    /// Whether it holds the codes of this hash.
    #[must_use]
    pub const fn holds(self, hash: CodeHash) -> bool {
        hash.0 & mask(self.bits) == self.prefix
    }

    /// Whether it holds all that `other` does.
    #[must_use]
    pub const fn holds_all(self, other: Self) -> bool {
        self.bits <= other.bits && self.holds(CodeHash(other.prefix))
    }

    /// The least hash in it.
    #[must_use]
    pub const fn first(self) -> CodeHash {
        CodeHash(self.prefix)
    }

    /// The greatest hash in it.
    #[must_use]
    pub const fn last(self) -> CodeHash {
        CodeHash(self.prefix | !mask(self.bits))
    }

    /// Its two halves: first the one whose next bit is 0. `None` if it has all bits.
    #[must_use]
    pub const fn halves(self) -> Option<[Self; 2]> {
        if self.bits == CELL_BITS_MAX {
            return None;
        }
        let bits = self.bits + 1;
        Some([Self { bits, ..self }, Self { prefix: self.prefix | 1 << (CELL_BITS_MAX - bits), bits }])
    }

    /// Parses it as it stands in a name: `all`, or its bits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text == "all" {
            return Some(Self::ALL);
        }
        let bits = u8::try_from(text.len()).ok().filter(|bits| (1..=CELL_BITS_MAX).contains(bits))?;
        let digits = text.bytes().all(|digit| matches!(digit, b'0' | b'1'));
        let value = u32::from_str_radix(text, 2).ok().filter(|_| digits)?;
        Self::new(value << (CELL_BITS_MAX - bits), bits)
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.bits {
            0 => f.write_str("all"),
            bits => write!(f, "{:0width$b}", self.prefix >> (CELL_BITS_MAX - bits), width = bits.into()),
        }
    }
}

const fn mask(bits: u8) -> u32 {
    match bits {
        0 => 0,
        bits => u32::MAX << (CELL_BITS_MAX - bits),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_that_count_up_are_spread_over_the_cells() {
        let mut cells = [0_u32; 16];
        for number in 0..16_000 {
            cells[(CodeHash::of(format!("index-{number}").as_bytes()).value() >> 28) as usize] += 1;
        }
        assert!(cells.iter().all(|&codes| (900..1_100).contains(&codes)), "{cells:?}");
    }

    #[test]
    fn cells_print_and_parse() {
        for text in ["all", "0", "1", "0101", &"1".repeat(32), &"0".repeat(32)] {
            assert_eq!(Cell::parse(text).unwrap().to_string(), text);
        }
        for other in ["", "ALL", "2", "+1", "-0", "01 ", &"0".repeat(33), "٠"] {
            assert_eq!(Cell::parse(other), None, "{other:?}");
        }
        assert_eq!(Cell::new(1, 31), None, "a bit that is not the cell's");
        assert_eq!(Cell::new(0, 33), None);
    }

    proptest::proptest! {
        #[test]
        fn a_cell_holds_what_lies_between_its_ends(value: u32, bits in 0..=32_u8, hash: u32) {
            let cell = Cell::new(value & mask(bits), bits).unwrap();
            let between = (cell.first().value()..=cell.last().value()).contains(&hash);
            proptest::prop_assert_eq!(cell.holds(CodeHash::new(hash)), between);
            proptest::prop_assert_eq!(Cell::parse(&cell.to_string()), Some(cell));
            let Some([low, high]) = cell.halves() else { return Ok(()) };
            proptest::prop_assert!(cell.holds_all(low) && cell.holds_all(high) && !low.holds_all(cell));
            proptest::prop_assert_eq!((low.first(), high.last()), (cell.first(), cell.last()));
            proptest::prop_assert_eq!(low.last().value() + 1, high.first().value());
        }
    }
}
