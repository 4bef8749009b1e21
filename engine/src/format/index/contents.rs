//! A checksum of what records say, whatever the order of the entries of their maps.
//!
//! The original writes the maps of a record in the order of its hash tables. So it may write an optimized segment
//! anew that holds exactly the same under the same name, in other bytes: that is no damage.

use logtank_wire::record::RecordView;

/// The checksum of the records so far, which are given in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Contents(u32);

impl Contents {
    /// Adds the next record. Its `id` and `index_code` count for nothing, and neither do the bits of a NaN: the original
    /// has only one.
    pub(super) fn add(&mut self, record: &RecordView<'_>) {
        self.bytes(&record.timestamp_ms.unwrap_or(i64::MIN).to_le_bytes());
        self.text(record.docid.unwrap_or_default());
        self.bytes(&[record.deleted.into()]);
        let of_texts = |(key, value): (&[u8], &[u8])| {
            let mut entry = Self::default();
            entry.text(key);
            entry.text(value);
            entry.0
        };
        self.map(record.fields.map(|map| map.iter().map(of_texts)));
        self.map(record.variables.map(|map| {
            map.iter().map(|(number, value)| {
                let value = if value.is_nan() { f64::NAN } else { value };
                let mut entry = Self::default();
                entry.bytes(&number.to_le_bytes());
                entry.bytes(&value.to_bits().to_le_bytes());
                entry.0
            })
        }));
        self.map(record.categories.map(|map| map.iter().map(of_texts)));
    }

    /// Never zero.
    pub(super) const fn value(self) -> u32 {
        if self.0 == 0 { 1 } else { self.0 }
    }

    fn map(&mut self, entries: Option<impl ExactSizeIterator<Item = u32>>) {
        let Some(entries) = entries else { return self.bytes(&[0]) };
        self.bytes(&[1]);
        self.bytes(&(entries.len() as u64).to_le_bytes());
        // A sum does not depend on the order; and of one changed entry it can't stay the same.
        self.bytes(&entries.fold(0u32, u32::wrapping_add).to_le_bytes());
    }

    fn text(&mut self, text: &[u8]) {
        self.bytes(&(text.len() as u64).to_le_bytes());
        self.bytes(text);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0 = crc32c::crc32c_append(self.0, bytes);
    }
}
