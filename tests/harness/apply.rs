//! What the recovering index engine does with a record: the rule by which states are compared.

use std::collections::BTreeMap;

use logtank_wire::record::RecordView;

/// A document as the index engine has it after applying records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// Text by field; `None` if only variables or categories were ever set.
    pub fields: Option<BTreeMap<Vec<u8>, Vec<u8>>>,
    /// Variables by number, each as the bits of its double.
    pub variables: BTreeMap<i32, u64>,
    /// Category values.
    pub categories: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// The documents of an index by docid.
pub type State = BTreeMap<Vec<u8>, Document>;

/// Applies one record: deleted → the document goes first; then fields replace, variables and categories are
/// set key by key.
pub fn apply(state: &mut State, record: &RecordView<'_>) {
    let Some(docid) = record.docid else { return };
    if record.deleted {
        state.remove(docid);
    }
    if record.fields.is_none() && record.variables.is_none() && record.categories.is_none() {
        return;
    }
    let document = state.entry(docid.to_vec()).or_default();
    if let Some(fields) = &record.fields {
        document.fields = Some(fields.iter().map(|(key, value)| (key.to_vec(), value.to_vec())).collect());
    }
    for (number, value) in record.variables.iter().flat_map(|variables| variables.iter()) {
        document.variables.insert(number, value.to_bits());
    }
    for (key, value) in record.categories.iter().flat_map(|categories| categories.iter()) {
        document.categories.insert(key.to_vec(), value.to_vec());
    }
}
