use std::ops::Range;

use super::label::LABEL_HEAD_BYTES;
use crate::limits::{DIRECT_BLOCK_BYTES, SIDECAR_BLOCK_BYTES};

const BLOCK: u64 = SIDECAR_BLOCK_BYTES as u64;
/// Bytes of a table for each block of the data.
const ROW_BYTES: u64 = 16;

/// Where in a pack the parts of a slice stand: the label, the data, and the table if the data has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    label: u64,
    data: u64,
    table: u64,
    end: u64,
}

impl Place {
    /// That of the slice whose label begins at byte `label` of the file, with an entry of `entry_bytes` and data of
    /// `data_bytes`. `None` if no file is that long.
    #[must_use]
    pub(crate) fn of(label: u64, entry_bytes: usize, data_bytes: u64) -> Option<Self> {
        let label_end = label.checked_add((LABEL_HEAD_BYTES + entry_bytes) as u64)?;
        let is_long = data_bytes > BLOCK;
        let data =
            if is_long { label_end.checked_next_multiple_of(DIRECT_BLOCK_BYTES as u64)? } else { label_end };
        let table = data.checked_add(data_bytes)?;
        let rows = if is_long { data_bytes.div_ceil(BLOCK) } else { 0 };
        let end = table.checked_add(rows.checked_mul(ROW_BYTES)?)?;
        Some(Self { label, data, table, end })
    }

    /// Offset of the label, where the slice begins.
    #[must_use]
    pub(crate) const fn begin(&self) -> u64 {
        self.label
    }

    /// The data.
    #[must_use]
    pub(crate) const fn data(&self) -> Range<u64> {
        self.data..self.table
    }

    /// The table: nothing if the data has none.
    #[must_use]
    pub(crate) const fn table(&self) -> Range<u64> {
        self.table..self.end
    }

    /// Where the next item begins.
    #[must_use]
    pub(crate) const fn end(&self) -> u64 {
        self.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_long_data_is_aligned_and_has_a_table() {
        let short = Place::of(5_000, 20, 65_536).unwrap();
        assert_eq!((short.data(), short.table(), short.end()), (5_027..70_563, 70_563..70_563, 70_563));
        let long = Place::of(5_000, 20, 65_537).unwrap();
        assert_eq!((long.data(), long.table(), long.end()), (8_192..73_729, 73_729..73_761, 73_761));
        assert_eq!(
            Place::of(0, 4_089, 65_537).unwrap().data().start,
            4_096,
            "no padding where none is needed"
        );
    }

    #[test]
    fn no_number_of_a_file_overflows() {
        for (label, bytes) in [(u64::MAX, 1), (0, u64::MAX), (u64::MAX - 100, 65_537), (5, u64::MAX - 40)] {
            assert_eq!(Place::of(label, 20, bytes), None);
        }
    }
}
