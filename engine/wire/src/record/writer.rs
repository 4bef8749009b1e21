//! Records to bytes.

/// Writes records, in the field order of the original.
#[derive(Debug)]
pub struct RecordWriter<'b> {
    out: &'b mut Vec<u8>,
}

impl<'b> RecordWriter<'b> {
    /// Begins a record behind the bytes of `out`. Fields follow in any order, each at most once; then
    /// [`Self::finish`].
    pub const fn begin(out: &'b mut Vec<u8>) -> Self {
        Self { out }
    }
    /// Field 2.
    pub fn timestamp_ms(&mut self, _value: i64) {
        let _ = &self.out;
        unimplemented!("contract only")
    }
    /// Field 3.
    pub fn index_code(&mut self, _value: &[u8]) {
        unimplemented!("contract only")
    }
    /// Field 4.
    pub fn docid(&mut self, _value: &[u8]) {
        unimplemented!("contract only")
    }
    /// Field 5.
    pub fn deleted(&mut self, _value: bool) {
        unimplemented!("contract only")
    }
    /// Field 6.
    pub fn fields<'m>(&mut self, _entries: impl ExactSizeIterator<Item = (&'m [u8], &'m [u8])>) {
        unimplemented!("contract only")
    }
    /// Field 7.
    pub fn variables(&mut self, _entries: impl ExactSizeIterator<Item = (i32, f64)>) {
        unimplemented!("contract only")
    }
    /// Field 8.
    pub fn categories<'m>(&mut self, _entries: impl ExactSizeIterator<Item = (&'m [u8], &'m [u8])>) {
        unimplemented!("contract only")
    }
    /// Ends the record.
    pub fn finish(self) {
        unimplemented!("contract only")
    }
}
