//! What an index engine makes of the records it is sent.

use std::collections::BTreeMap;

use crate::index_log::record::Record;

/// A document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Document {
    pub(super) fields: Option<BTreeMap<Vec<u8>, Vec<u8>>>,
    pub(super) variables: BTreeMap<i32, u64>,
    pub(super) categories: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// The documents of an index, by docid.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct State(pub(super) BTreeMap<Vec<u8>, Document>);

impl State {
    /// Applies a record as an engine does: delete, then set.
    pub(super) fn apply(&mut self, record: &Record) {
        if record.deleted {
            self.0.remove(&record.docid);
        }
        let mut document = self.0.remove(&record.docid).unwrap_or_default();
        if record.fields.is_some() {
            document.fields.clone_from(&record.fields);
        }
        document.variables.extend(record.variables.clone().unwrap_or_default());
        document.categories.extend(record.categories.clone().unwrap_or_default());
        // Where nothing is set there is no document.
        if document != Document::default() {
            self.0.insert(record.docid.clone(), document);
        }
    }

    /// What all of `records` make of an empty index.
    pub(super) fn after<'r>(records: impl IntoIterator<Item = &'r Record>) -> Self {
        let mut state = Self::default();
        records.into_iter().for_each(|record| state.apply(record));
        state
    }
}
