//! Makes records: which document of which index, how it changes, and the bytes.

use logtank_wire::record::RecordWriter;

use super::shape::Shape;

/// How a record changes its document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Fields, variables, categories.
    Add,
    /// Variables only.
    Update,
    /// The document goes away.
    Delete,
}

/// A record's meaning. Its serial number is in its fields and variables, as far as it has any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) index: usize,
    pub(crate) connection: usize,
    pub(crate) document: u64,
    pub(crate) kind: Kind,
    pub(crate) serial: u64,
}

/// A record as it is sent, and where to.
#[derive(Clone, Debug)]
pub(crate) struct Encoded {
    pub(crate) index: String,
    pub(crate) bytes: Vec<u8>,
}

/// Makes one record after the other, the same ones for the same shape.
#[derive(Clone, Debug)]
pub(crate) struct Generator {
    shape: Shape,
    /// Tells the documents of one run from those of another.
    run: String,
    /// Where an index's share of the load ends, of 1.
    shares: Vec<f64>,
    serial: u64,
    /// The same in each run.
    random: fastrand::Rng,
}

/// What the first field begins with, before the serial number.
pub(super) const TEXT_FIELD: &str = "text";

impl Generator {
    pub(crate) fn new(shape: &Shape, run: &str) -> Self {
        let weight = |rank: usize| (rank as f64 + 1.0).powf(-shape.skew);
        let shares = if shape.skew > 0.0 {
            let total: f64 = (0..shape.indexes).map(weight).sum();
            let running = (0..shape.indexes).scan(0.0, |sum, rank| {
                *sum += weight(rank) / total;
                Some(*sum)
            });
            running.collect()
        } else {
            Vec::new()
        };
        Self {
            shape: shape.clone(),
            run: run.to_owned(),
            shares,
            serial: 0,
            random: fastrand::Rng::with_seed(1),
        }
    }

    /// The code of an index by its number.
    pub(crate) fn index_code(index: usize) -> String {
        format!("bench-{index}")
    }

    /// A document's name.
    pub(crate) fn docid(&self, connection: usize, document: u64) -> String {
        format!("{}-{connection}-{document}", self.run)
    }

    /// The next change of one of this connection's documents, and its record.
    pub(crate) fn next(&mut self, connection: usize) -> (Change, Encoded) {
        let serial = self.serial;
        self.serial += 1;
        let index = if self.shares.is_empty() {
            usize::try_from(serial % self.shape.indexes as u64).expect("below a usize")
        } else {
            let at = self.random.f64();
            self.shares.partition_point(|end| *end < at).min(self.shape.indexes - 1)
        };
        let percent = self.random.f64() * 100.0;
        let kind = if percent < f64::from(self.shape.deletes) {
            Kind::Delete
        } else if percent < f64::from(self.shape.deletes + self.shape.updates) {
            Kind::Update
        } else {
            Kind::Add
        };
        let document = serial % self.shape.documents;
        let change = Change { index, connection, document, kind, serial };
        (change, Encoded { index: Self::index_code(index), bytes: self.encode(&change) })
    }

    fn encode(&self, change: &Change) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.shape.record_bytes);
        self.write(&mut bytes, change, 0);
        if change.kind == Kind::Add {
            let padding = self.shape.record_bytes.saturating_sub(bytes.len());
            bytes.clear();
            self.write(&mut bytes, change, padding);
        }
        bytes
    }

    fn write(&self, out: &mut Vec<u8>, change: &Change, padding: usize) {
        let mut record = RecordWriter::begin(out);
        record.index_code(Self::index_code(change.index).as_bytes());
        record.docid(self.docid(change.connection, change.document).as_bytes());
        record.deleted(change.kind == Kind::Delete);
        if change.kind == Kind::Add {
            let mut text = format!("{} ", change.serial).into_bytes();
            text.extend(b"the quick brown fox jumps over the lazy dog ".iter().cycle().take(padding));
            let names: Vec<String> = (1..self.shape.fields).map(|number| format!("field{number}")).collect();
            let fields = std::iter::once((TEXT_FIELD.as_bytes(), text.as_slice()))
                .chain(names.iter().map(|name| (name.as_bytes(), &b"1700000000"[..])));
            let fields: Vec<_> = fields.collect();
            record.fields(fields.into_iter());
        }
        if change.kind != Kind::Delete {
            let value = |number: usize| if number == 0 { change.serial as f64 } else { number as f64 };
            let variables = (0..self.shape.variables)
                .map(|number| (i32::try_from(number).expect("few variables"), value(number)));
            record.variables(variables);
        }
        if change.kind == Kind::Add && self.shape.categories > 0 {
            let names: Vec<String> =
                (0..self.shape.categories).map(|number| format!("category{number}")).collect();
            record.categories(names.iter().map(|name| (name.as_bytes(), &b"some value"[..])));
        }
        record.finish();
    }
}

#[cfg(test)]
mod tests {
    use logtank_wire::record::RecordView;

    use super::*;

    #[test]
    fn records_have_the_length_asked_for_and_say_their_serial_number() {
        let shape = Shape { record_bytes: 500, fields: 3, categories: 2, ..Shape::default() };
        let mut generator = Generator::new(&shape, "run");
        for _ in 0..20 {
            let (change, encoded) = generator.next(7);
            let (view, length) = RecordView::parse(&encoded.bytes).unwrap();
            assert_eq!((length, encoded.bytes.len()), (500, 500));
            assert_eq!(view.index_code, Some(encoded.index.as_bytes()));
            assert_eq!(view.variables.unwrap().iter().next(), Some((0, change.serial as f64)));
            let (_, text) = view.fields.unwrap().iter().next().unwrap();
            assert!(text.starts_with(format!("{} ", change.serial).as_bytes()));
            assert_eq!((view.fields.unwrap().iter().len(), view.categories.unwrap().iter().len()), (3, 2));
        }
    }

    #[test]
    fn kinds_and_indexes_come_in_the_shares_asked_for() {
        let shape = Shape { updates: 20, deletes: 10, indexes: 4, skew: 1.0, ..Shape::default() };
        let mut generator = Generator::new(&shape, "run");
        let changes: Vec<Change> = (0..10_000).map(|_| generator.next(0).0).collect();
        let count = |wanted: &dyn Fn(&Change) -> bool| changes.iter().filter(|change| wanted(change)).count();
        assert!((1_800..2_200).contains(&count(&|change| change.kind == Kind::Update)));
        assert!((850..1_150).contains(&count(&|change| change.kind == Kind::Delete)));
        let (first, second) = (count(&|change| change.index == 0), count(&|change| change.index == 1));
        assert!((1.8..2.2).contains(&(first as f64 / second as f64)), "{first} {second}");
    }
}
