use crate::format::pack::CodeHash;

/// Records of many indexes in the order of their arrival; once sorted, grouped by index.
#[derive(Debug)]
pub(crate) struct Arena {
    // For each record its code, then its bytes.
    bytes: Vec<u8>,
    rows: Vec<Row>,
    bytes_max: usize,
}

/// Whose a record is, and where it stands. The code stands at `at`, the record right after it.
#[derive(Clone, Copy, Debug)]
struct Row {
    hash: CodeHash,
    record_bytes: u32,
    at: u64,
    code_bytes: u8,
}

const _: () = assert!(size_of::<Row>() == 24, "what a record costs beside its bytes");

impl Row {
    fn code<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        let at = self.at as usize;
        &bytes[at..at + usize::from(self.code_bytes)]
    }

    fn record<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        let at = self.at as usize + usize::from(self.code_bytes);
        &bytes[at..at + self.record_bytes as usize]
    }
}

/// The records of one index, in the order of their arrival.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Group<'a> {
    code: &'a [u8],
    rows: &'a [Row],
    bytes: &'a [u8],
}

impl<'a> Group<'a> {
    /// The index.
    #[must_use]
    pub(crate) const fn code(&self) -> &'a [u8] {
        self.code
    }

    /// The records' bytes.
    pub(crate) fn records(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + Clone + use<'a> {
        let bytes = self.bytes;
        self.rows.iter().map(move |row| row.record(bytes))
    }
}

impl Arena {
    /// An empty one that holds about `bytes_max` bytes, and at least one record; `bytes_expected` of them are taken at once.
    #[must_use]
    pub(crate) fn new(bytes_max: usize, bytes_expected: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes_expected.min(bytes_max)), rows: Vec::new(), bytes_max }
    }

    /// Adds a record of the index of this code, at most 255 bytes; `encode` appends its bytes. False if there is no room for
    /// it: then nothing was added.
    ///
    /// # Panics
    /// If the record is longer than 4 GiB.
    pub(crate) fn push(&mut self, code: &[u8], encode: impl FnOnce(&mut Vec<u8>)) -> bool {
        let at = self.bytes.len();
        let code_bytes = u8::try_from(code.len()).expect("a code, or none");
        self.bytes.extend_from_slice(code);
        encode(&mut self.bytes);
        let record_bytes = self.bytes.len() - at - code.len();
        let cost = self.bytes.len() + (self.rows.len() + 1) * size_of::<Row>();
        if cost > self.bytes_max && !self.rows.is_empty() {
            self.bytes.truncate(at);
            return false;
        }
        let record_bytes = u32::try_from(record_bytes).expect("a record of less than 4 GiB");
        self.rows.push(Row { hash: CodeHash::of(code), record_bytes, at: at as u64, code_bytes });
        true
    }

    /// Bytes of the records at hand, their codes and their rows.
    #[must_use]
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes.len() + self.rows.len() * size_of::<Row>()
    }

    /// Forgets the records, not the memory.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.rows.clear();
    }

    /// Brings the rows into the order of (hash, code, arrival).
    pub(crate) fn sort(&mut self) {
        let bytes = &self.bytes;
        // What came later stands later.
        let order = |a: &Row, b: &Row| {
            let by_hash = a.hash.cmp(&b.hash);
            by_hash.then_with(|| a.code(bytes).cmp(b.code(bytes))).then(a.at.cmp(&b.at))
        };
        self.rows.sort_unstable_by(order);
    }

    /// The indexes, each with its records: in the order of (hash, code), each once, after [`Self::sort`].
    pub(crate) fn groups(&self) -> impl Iterator<Item = Group<'_>> {
        let bytes = &self.bytes;
        let same = |a: &Row, b: &Row| a.hash == b.hash && a.code(bytes) == b.code(bytes);
        self.rows.chunk_by(same).map(|rows| Group { code: rows[0].code(bytes), rows, bytes })
    }
}
