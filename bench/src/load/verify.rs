//! `--verify`: recovers every index that was written to, and compares with what was acknowledged.

use std::collections::BTreeMap;
use std::io::{Error, Result};
use std::net::SocketAddr;

use logtank_wire::record::RecordView;

use super::ledger::{Document, Key, Ledger};
use super::records::Generator;
use crate::recover::Reader;

/// How many differences are told one by one.
const TOLD_MAX: usize = 10;

/// Compares; says what was compared.
///
/// # Errors
/// If anything differs, or can't be read.
pub(super) fn verify(reader: SocketAddr, ledger: &Ledger, run: &str) -> Result<String> {
    let (mut documents, mut wrong) = (0_usize, Vec::new());
    let indexes = ledger.indexes();
    for &index in &indexes {
        let recovered = recover(reader, index, run)?;
        let expected: BTreeMap<Key, Option<Document>> = ledger.expected(index).collect();
        for (key, expected) in &expected {
            documents += 1;
            let found = recovered.get(key).copied();
            if found != *expected && !ledger.is_doubtful(key) {
                wrong.push(format!("{key:?}: acknowledged {expected:?}, recovered {found:?}"));
            }
        }
        let unknown = recovered.keys().filter(|key| !expected.contains_key(*key) && !ledger.is_doubtful(key));
        wrong.extend(unknown.map(|key| format!("{key:?} was recovered, but never acknowledged")));
    }
    if wrong.is_empty() {
        return Ok(format!(
            "verified: {} acknowledged records recover as {documents} documents of {} indexes",
            ledger.acknowledged,
            indexes.len()
        ));
    }
    let count = wrong.len();
    wrong.truncate(TOLD_MAX);
    Err(Error::other(format!(
        "{count} documents recover otherwise than acknowledged (index, connection, document):\n{}",
        wrong.join("\n")
    )))
}

fn recover(reader: SocketAddr, index: usize, run: &str) -> Result<BTreeMap<Key, Document>> {
    let mut documents = BTreeMap::new();
    let mut reader = Reader::connect(reader, &Generator::index_code(index))?;
    while let Some(page) = reader.next_page()? {
        page.each(|record| apply(&mut documents, index, run, record))?;
    }
    Ok(documents)
}

fn apply(documents: &mut BTreeMap<Key, Document>, index: usize, run: &str, record: &RecordView<'_>) {
    let Some(key) = record.docid.and_then(|docid| parse(docid, index, run)) else { return };
    if record.deleted {
        documents.remove(&key);
    }
    if record.fields.is_none() && record.variables.is_none() && record.categories.is_none() {
        return;
    }
    let document = documents.entry(key).or_default();
    if let Some(fields) = record.fields {
        let text = fields.iter().find(|(name, _)| *name == super::records::TEXT_FIELD.as_bytes());
        document.fields = text.and_then(|(_, text)| {
            let number = text.split(|byte| *byte == b' ').next().unwrap_or_default();
            std::str::from_utf8(number).ok()?.parse().ok()
        });
    }
    if let Some(variables) = record.variables
        && let Some((_, value)) = variables.iter().find(|(number, _)| *number == 0)
    {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "serial numbers are whole"
        )]
        let serial = value as u64;
        document.variables = Some(serial);
    }
}

/// The document that this run means by a docid, if it is one of its own.
fn parse(docid: &[u8], index: usize, run: &str) -> Option<Key> {
    let rest = std::str::from_utf8(docid).ok()?.strip_prefix(run)?.strip_prefix('-')?;
    let (connection, document) = rest.split_once('-')?;
    Some((index, connection.parse().ok()?, document.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Shape;

    #[test]
    fn what_is_recovered_is_what_the_records_say() {
        let shape = Shape { indexes: 1, documents: 5, updates: 30, deletes: 30, ..Shape::default() };
        let mut generator = Generator::new(&shape, "r");
        let (mut ledger, mut documents) = (Ledger::default(), BTreeMap::new());
        for _ in 0..500 {
            let (change, encoded) = generator.next(3);
            ledger.sent(3, vec![change]);
            ledger.acknowledge(3);
            apply(&mut documents, 0, "r", &RecordView::parse(&encoded.bytes).unwrap().0);
        }
        let living: BTreeMap<Key, Document> =
            ledger.expected(0).filter_map(|(key, document)| Some((key, document?))).collect();
        assert_eq!(documents, living);
        assert!(!living.is_empty() && living.len() < 5, "some live, some do not: {living:?}");
    }

    #[test]
    fn documents_of_others_are_left_out() {
        assert_eq!(parse(b"r-3-4", 2, "r"), Some((2, 3, 4)));
        for other in [&b"q-3-4"[..], b"r-3", b"r-x-4", b"\xff"] {
            assert_eq!(parse(other, 2, "r"), None);
        }
    }
}
