//! A record that owns its content, as merging needs it.

use std::collections::BTreeMap;

use logtank_wire::record::{RecordView, RecordWriter, StringMap};

type Strings = BTreeMap<Vec<u8>, Vec<u8>>;

/// A record of an index's segment: without `id` and `index_code`, its maps in the order of their keys, so
/// that equal records have equal bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// When it was received; of merged ones, when the oldest was.
    pub timestamp_ms: Option<i64>,
    /// The document.
    pub docid: Vec<u8>,
    /// Whether the document is deleted first.
    pub deleted: bool,
    /// Replace the document's fields.
    pub fields: Option<Strings>,
    /// Are set one by one. A value is a double's bits: a NaN too is equal to itself.
    pub variables: Option<BTreeMap<i32, u64>>,
    /// Are set one by one.
    pub categories: Option<Strings>,
}

impl Record {
    /// Copies a record. Of a key that occurs twice in a map the last counts.
    #[must_use]
    pub fn from_view(view: &RecordView<'_>) -> Self {
        let strings =
            |map: StringMap<'_>| map.iter().map(|(key, value)| (key.to_vec(), value.to_vec())).collect();
        Self {
            timestamp_ms: view.timestamp_ms,
            docid: view.docid.unwrap_or_default().to_vec(),
            deleted: view.deleted,
            fields: view.fields.map(strings),
            variables: view
                .variables
                .map(|map| map.iter().map(|(key, value)| (key, value.to_bits())).collect()),
            categories: view.categories.map(strings),
        }
    }

    /// Copies the record that `bytes` hold, which were parsed before.
    ///
    /// # Panics
    /// If they hold none.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self::from_view(&view(bytes))
    }

    /// Appends its bytes.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut writer = RecordWriter::begin(out);
        if let Some(timestamp_ms) = self.timestamp_ms {
            writer.timestamp_ms(timestamp_ms);
        }
        writer.docid(&self.docid);
        writer.deleted(self.deleted);
        if let Some(fields) = &self.fields {
            writer.fields(entries(fields));
        }
        if let Some(variables) = &self.variables {
            writer.variables(variables.iter().map(|(&key, &bits)| (key, f64::from_bits(bits))));
        }
        if let Some(categories) = &self.categories {
            writer.categories(entries(categories));
        }
        writer.finish();
    }

    /// Whether it sets anything.
    #[must_use]
    pub const fn has_content(&self) -> bool {
        self.fields.is_some() || self.variables.is_some() || self.categories.is_some()
    }
}

fn entries(map: &Strings) -> impl ExactSizeIterator<Item = (&[u8], &[u8])> {
    map.iter().map(|(key, value)| (key.as_slice(), value.as_slice()))
}

// A record that was parsed before, when it was found.
pub(super) fn view(bytes: &[u8]) -> RecordView<'_> {
    RecordView::parse(bytes).expect("the same bytes were parsed when the record was found").0
}
