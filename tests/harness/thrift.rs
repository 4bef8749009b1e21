//! Thrift's binary protocol written once more, naively: a test must not trust the encoder that it tests.

/// One document change as a client has it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Change {
    /// Field 3.
    pub index: String,
    /// Field 4.
    pub docid: String,
    /// Field 5.
    pub deleted: bool,
    /// Field 6.
    pub fields: Option<Vec<(String, String)>>,
    /// Field 7.
    pub variables: Option<Vec<(i32, f64)>>,
    /// Field 8.
    pub categories: Option<Vec<(String, String)>>,
}

fn text(out: &mut Vec<u8>, value: &str) {
    out.extend_from_slice(&u32::try_from(value.len()).expect("short").to_be_bytes());
    out.extend_from_slice(value.as_bytes());
}

fn field(out: &mut Vec<u8>, kind: u8, id: u16) {
    out.push(kind);
    out.extend_from_slice(&id.to_be_bytes());
}

fn texts(out: &mut Vec<u8>, id: u16, entries: &[(String, String)]) {
    field(out, 13, id);
    out.extend_from_slice(&[11, 11]);
    out.extend_from_slice(&u32::try_from(entries.len()).expect("few").to_be_bytes());
    for (key, value) in entries {
        text(out, key);
        text(out, value);
    }
}

/// Appends a `LogRecord`.
pub fn record(out: &mut Vec<u8>, change: &Change) {
    field(out, 11, 3);
    text(out, &change.index);
    field(out, 11, 4);
    text(out, &change.docid);
    field(out, 2, 5);
    out.push(change.deleted.into());
    if let Some(entries) = &change.fields {
        texts(out, 6, entries);
    }
    if let Some(entries) = &change.variables {
        field(out, 13, 7);
        out.extend_from_slice(&[8, 4]);
        out.extend_from_slice(&u32::try_from(entries.len()).expect("few").to_be_bytes());
        for (number, value) in entries {
            out.extend_from_slice(&number.to_be_bytes());
            out.extend_from_slice(&value.to_bits().to_be_bytes());
        }
    }
    if let Some(entries) = &change.categories {
        texts(out, 8, entries);
    }
    out.push(0);
}

/// A framed, strict call with these arguments (the fields of the argument struct, without its stop byte).
#[must_use]
pub fn call(name: &str, sequence: i32, arguments: &[u8]) -> Vec<u8> {
    let mut message = vec![0; 4];
    message.extend_from_slice(&0x8001_0001_u32.to_be_bytes());
    text(&mut message, name);
    message.extend_from_slice(&sequence.to_be_bytes());
    message.extend_from_slice(arguments);
    message.push(0);
    let length = u32::try_from(message.len() - 4).expect("short");
    message[..4].copy_from_slice(&length.to_be_bytes());
    message
}

/// Arguments of `send_batch`.
#[must_use]
pub fn send_batch(changes: &[Change]) -> Vec<u8> {
    let mut out = Vec::new();
    field(&mut out, 12, 1);
    field(&mut out, 15, 1);
    out.push(12);
    out.extend_from_slice(&u32::try_from(changes.len()).expect("few").to_be_bytes());
    for change in changes {
        record(&mut out, change);
    }
    out.push(0);
    out
}

/// Arguments of `read_page`; `token` is a `LogPageToken` struct as it came, with its stop byte.
#[must_use]
pub fn read_page(index: &str, token: &[u8]) -> Vec<u8> {
    let mut out = index_code(index);
    field(&mut out, 12, 2);
    out.extend_from_slice(token);
    out
}

/// Arguments that are an index code in field 1.
#[must_use]
pub fn index_code(index: &str) -> Vec<u8> {
    let mut out = Vec::new();
    field(&mut out, 11, 1);
    text(&mut out, index);
    out
}

/// Arguments of `enqueue_for_optimization`.
#[must_use]
pub fn enqueue(index: &str, priority: i32, score: f64) -> Vec<u8> {
    let mut out = index_code(index);
    field(&mut out, 8, 2);
    out.extend_from_slice(&priority.to_be_bytes());
    field(&mut out, 4, 3);
    out.extend_from_slice(&score.to_bits().to_be_bytes());
    out
}

/// Reads values off the front of bytes.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a>(pub &'a [u8]);

impl<'a> Cursor<'a> {
    /// The next `count` bytes.
    ///
    /// # Panics
    /// If there are fewer: a reply of the host that ends early is a failed test.
    pub fn take(&mut self, count: usize) -> &'a [u8] {
        let (head, rest) = self.0.split_at(count);
        self.0 = rest;
        head
    }
    /// A byte.
    pub fn byte(&mut self) -> u8 {
        self.take(1)[0]
    }
    /// An i32.
    ///
    /// # Panics
    /// As [`Self::take`].
    pub fn i32(&mut self) -> i32 {
        i32::from_be_bytes(self.take(4).try_into().expect("four bytes"))
    }
    /// A string.
    ///
    /// # Panics
    /// As [`Self::take`].
    pub fn text(&mut self) -> &'a [u8] {
        let length = usize::try_from(self.i32()).expect("lengths are not negative");
        self.take(length)
    }
    /// A field's type and id; `None` at the stop byte.
    ///
    /// # Panics
    /// As [`Self::take`].
    pub fn field(&mut self) -> Option<(u8, i16)> {
        match self.byte() {
            0 => None,
            kind => Some((kind, i16::from_be_bytes(self.take(2).try_into().expect("two bytes")))),
        }
    }
    /// Passes over a value of this type.
    ///
    /// # Panics
    /// If the type is not one of Thrift's.
    pub fn skip(&mut self, kind: u8) {
        match kind {
            2 | 3 => drop(self.take(1)),
            6 => drop(self.take(2)),
            8 => drop(self.take(4)),
            4 | 10 => drop(self.take(8)),
            11 => drop(self.text()),
            12 => {
                while let Some((kind, _)) = self.field() {
                    self.skip(kind);
                }
            }
            13 => {
                let (key, value) = (self.byte(), self.byte());
                for _ in 0..self.i32() {
                    self.skip(key);
                    self.skip(value);
                }
            }
            14 | 15 => {
                let kind = self.byte();
                for _ in 0..self.i32() {
                    self.skip(kind);
                }
            }
            other => panic!("no Thrift type {other}"),
        }
    }
    /// The bytes of a value of this type.
    pub fn value(&mut self, kind: u8) -> &'a [u8] {
        let before = self.0;
        self.skip(kind);
        &before[..before.len() - self.0.len()]
    }
}
