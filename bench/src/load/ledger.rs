//! What a host must hold after a run: kept while it runs, compared when it is over.

use std::collections::BTreeMap;

use super::records::{Change, Kind};

/// A document by index, connection and number.
pub(super) type Key = (usize, usize, u64);

/// A document, reduced to the serial numbers of the records that gave it its fields and its variables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Document {
    pub(super) fields: Option<u64>,
    pub(super) variables: Option<u64>,
}

/// What was sent and what became of it.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    under_way: BTreeMap<usize, Vec<Change>>,
    /// What acknowledged batches have left; `None`: deleted.
    documents: BTreeMap<Key, Option<Document>>,
    /// Documents of batches of which nobody knows whether they were stored.
    doubtful: Vec<Key>,
    /// Records acknowledged.
    pub(super) acknowledged: u64,
}

impl Ledger {
    /// A batch goes out.
    pub(super) fn sent(&mut self, connection: usize, changes: Vec<Change>) {
        self.under_way.insert(connection, changes);
    }

    /// It was acknowledged.
    pub(super) fn acknowledge(&mut self, connection: usize) {
        for change in self.under_way.remove(&connection).unwrap_or_default() {
            self.acknowledged += 1;
            let document = self.documents.entry(key(&change)).or_default();
            *document = apply(*document, &change);
        }
    }

    /// It was refused: nothing of it may be there.
    pub(super) fn refuse(&mut self, connection: usize) {
        self.under_way.remove(&connection);
    }

    /// The connection broke.
    pub(super) fn doubt(&mut self, connection: usize) {
        let changes = self.under_way.remove(&connection).unwrap_or_default();
        self.doubtful.extend(changes.iter().map(key));
    }

    /// Doubts what is under way still.
    pub(super) fn close(&mut self) {
        let connections: Vec<usize> = self.under_way.keys().copied().collect();
        connections.into_iter().for_each(|connection| self.doubt(connection));
    }

    /// What is certain of an index's documents; deleted ones are `None`.
    pub(super) fn expected(&self, index: usize) -> impl Iterator<Item = (Key, Option<Document>)> {
        let range = (index, 0, 0)..(index + 1, 0, 0);
        self.documents.range(range).map(|(key, document)| (*key, *document))
    }

    /// Whether nobody knows how the document should look.
    pub(super) fn is_doubtful(&self, key: &Key) -> bool {
        self.doubtful.contains(key)
    }

    /// Numbers of the indexes that were written to.
    pub(super) fn indexes(&self) -> Vec<usize> {
        let mut indexes: Vec<usize> = self.documents.keys().map(|key| key.0).collect();
        indexes.dedup();
        indexes
    }
}

fn key(change: &Change) -> Key {
    (change.index, change.connection, change.document)
}

fn apply(before: Option<Document>, change: &Change) -> Option<Document> {
    let serial = Some(change.serial);
    match change.kind {
        Kind::Add => Some(Document { fields: serial, variables: serial }),
        Kind::Update => Some(Document { variables: serial, ..before.unwrap_or_default() }),
        Kind::Delete => None,
    }
}
