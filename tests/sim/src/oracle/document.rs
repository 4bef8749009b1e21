use std::collections::BTreeMap;
use std::fmt;

use logtank_wire::record::{RecordView, RecordWriter};

/// How much of a text a message shows.
const SHOWN_CHARACTERS: usize = 24;

/// A record as a client means it.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// Which document.
    pub docid: String,
    /// It goes first.
    pub deleted: bool,
    /// Replace its fields.
    pub fields: Option<BTreeMap<String, String>>,
    /// Set one by one.
    pub variables: BTreeMap<i32, u32>,
    /// Set one by one.
    pub categories: BTreeMap<String, String>,
}

/// A document as the index engine has it after applying records.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Document {
    fields: Option<BTreeMap<Vec<u8>, Vec<u8>>>,
    variables: BTreeMap<i32, u64>,
    categories: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// For messages: texts as text, and of long ones the beginning.
impl fmt::Debug for Document {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes);
            match text.char_indices().nth(SHOWN_CHARACTERS) {
                Some((end, _)) => format!("{}… of {} bytes", &text[..end], bytes.len()),
                None => text.into_owned(),
            }
        };
        let texts = |map: &BTreeMap<Vec<u8>, Vec<u8>>| -> BTreeMap<String, String> {
            map.iter().map(|(key, value)| (short(key), short(value))).collect()
        };
        let variables: BTreeMap<i32, f64> =
            self.variables.iter().map(|(number, bits)| (*number, f64::from_bits(*bits))).collect();
        out.debug_struct("Document")
            .field("fields", &self.fields.as_ref().map(texts))
            .field("variables", &variables)
            .field("categories", &texts(&self.categories))
            .finish()
    }
}

/// The documents of an index by docid.
pub type State = BTreeMap<Vec<u8>, Document>;

fn bytes(map: &BTreeMap<String, String>) -> impl ExactSizeIterator<Item = (&[u8], &[u8])> {
    map.iter().map(|(key, value)| (key.as_bytes(), value.as_bytes()))
}

fn owned<'m>(entries: impl Iterator<Item = (&'m [u8], &'m [u8])>) -> BTreeMap<Vec<u8>, Vec<u8>> {
    entries.map(|(key, value)| (key.to_vec(), value.to_vec())).collect()
}

impl Record {
    /// A batch's marker.
    pub(super) fn marker(docid: String) -> Self {
        let fields = BTreeMap::from([("marker".to_owned(), docid.clone())]);
        Self { docid, fields: Some(fields), ..Self::default() }
    }

    /// Its bytes, as a client sends them.
    pub fn encode(&self, index_code: &str, out: &mut Vec<u8>) {
        let mut writer = RecordWriter::begin(out);
        writer.index_code(index_code.as_bytes());
        writer.docid(self.docid.as_bytes());
        writer.deleted(self.deleted);
        if let Some(fields) = &self.fields {
            writer.fields(bytes(fields));
        }
        if !self.variables.is_empty() {
            writer.variables(self.variables.iter().map(|(number, value)| (*number, f64::from(*value))));
        }
        if !self.categories.is_empty() {
            writer.categories(bytes(&self.categories));
        }
        writer.finish();
    }

    /// What an index engine does with it.
    pub(super) fn apply(&self, state: &mut State) {
        let docid = self.docid.as_bytes();
        if self.deleted {
            state.remove(docid);
        }
        if self.fields.is_none() && self.variables.is_empty() && self.categories.is_empty() {
            return;
        }
        let document = state.entry(docid.to_vec()).or_default();
        if let Some(fields) = &self.fields {
            document.fields = Some(owned(bytes(fields)));
        }
        let bits = |(number, value): (&i32, &u32)| (*number, f64::from(*value).to_bits());
        document.variables.extend(self.variables.iter().map(bits));
        document.categories.extend(owned(bytes(&self.categories)));
    }
}

/// The same, of a record as a recovery read delivers it.
///
/// # Errors
/// What is wrong with it.
pub(super) fn apply_view(record: &RecordView<'_>, state: &mut State) -> Result<(), String> {
    let Some(docid) = record.docid else { return Err("a record without docid was read".to_owned()) };
    if record.index_code.is_some() {
        return Err("a record with index_code was read".to_owned());
    }
    if record.deleted {
        state.remove(docid);
    }
    if record.fields.is_none() && record.variables.is_none() && record.categories.is_none() {
        return Ok(());
    }
    let document = state.entry(docid.to_vec()).or_default();
    if let Some(fields) = &record.fields {
        document.fields = Some(owned(fields.iter()));
    }
    for (number, value) in record.variables.iter().flat_map(|variables| variables.iter()) {
        document.variables.insert(number, value.to_bits());
    }
    document.categories.extend(record.categories.iter().flat_map(|all| owned(all.iter())));
    Ok(())
}
