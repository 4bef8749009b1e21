//! The reply of `read_page`, written as its records are found.

use super::token::LogPageToken;
use crate::message::Dialect;

/// Writes the reply of `read_page` behind the bytes of a buffer. Must be ended by [`Self::finish`] or
/// [`Self::abandon`].
#[derive(Debug)]
#[must_use = "a page is not whole before it is finished"]
pub struct PageWriter<'b> {
    out: &'b mut Vec<u8>,
}

impl<'b> PageWriter<'b> {
    /// Begins the reply to the call of this dialect, name and sequence number.
    pub fn begin(_out: &'b mut Vec<u8>, _dialect: Dialect, _name: &[u8], _sequence: i32) -> Self {
        unimplemented!()
    }

    /// Appends one record, already encoded.
    pub fn record(&mut self, _encoded: &[u8]) {
        unimplemented!()
    }

    /// Appends one record that `write` appends to the buffer.
    pub fn record_with(&mut self, _write: impl FnOnce(&mut Vec<u8>)) {
        unimplemented!()
    }

    /// Records so far.
    #[must_use]
    pub const fn records(&self) -> u32 {
        unimplemented!()
    }

    /// Bytes of the records so far.
    #[must_use]
    pub const fn record_bytes(&self) -> usize {
        unimplemented!()
    }

    /// Ends the reply; without a token it is the last page.
    pub fn finish(self, _next_page_token: Option<&LogPageToken>) {
        unimplemented!()
    }

    /// Takes back everything, so that an exception can be written instead.
    pub fn abandon(self) {
        self.out.clear();
        unimplemented!()
    }
}
