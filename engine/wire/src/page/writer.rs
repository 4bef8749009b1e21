//! The reply of `read_page`, written as its records are found.

use super::token::LogPageToken;
use crate::batch;
use crate::envelope::Envelope;
use crate::kind::Kind;
use crate::message::{Dialect, MessageKind};
use crate::put;

/// Field 2 of a `LogPage`.
pub(crate) const NEXT_PAGE_TOKEN: i16 = 2;

/// Writes the reply of `read_page` behind the bytes of a buffer, without knowing how many records will come. Ended by
/// [`Self::finish`] or [`Self::abandon`]; what was written is no message before.
#[derive(Debug)]
#[must_use = "a page is no message before it is finished"]
pub struct PageWriter<'b> {
    out: &'b mut Vec<u8>,
    envelope: Envelope,
    /// Where the first record begins; the count stands just before.
    records_at: usize,
    records: u32,
}

impl<'b> PageWriter<'b> {
    /// Begins the reply to the call of this dialect, name and sequence number.
    pub fn begin(out: &'b mut Vec<u8>, dialect: Dialect, name: &[u8], sequence: i32) -> Self {
        let envelope = Envelope::begin(out, dialect, MessageKind::Reply, name, sequence);
        put::field(out, Kind::Struct, 0);
        put::field(out, Kind::Struct, batch::BATCH);
        put::field(out, Kind::List, batch::RECORDS);
        put::list(out, Kind::Struct, 0);
        let records_at = out.len();
        Self { out, envelope, records_at, records: 0 }
    }

    /// Appends one record, already encoded.
    #[inline]
    pub fn record(&mut self, encoded: &[u8]) {
        self.records(1, encoded);
    }

    /// Appends `count` records, already encoded one after the other.
    #[inline]
    pub fn records(&mut self, count: u32, encoded: &[u8]) {
        self.out.extend_from_slice(encoded);
        self.records += count;
    }

    /// Appends one record that `write` appends to the buffer, such as [`crate::record::write_normalized`].
    pub fn record_with(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(self.out);
        self.records += 1;
    }

    /// Records so far.
    #[must_use]
    pub const fn record_count(&self) -> u32 {
        self.records
    }

    /// Bytes of the records so far.
    #[must_use]
    pub const fn record_bytes(&self) -> usize {
        self.out.len() - self.records_at
    }

    /// Ends the reply; without a token it is the last page.
    ///
    /// # Panics
    /// If the page has grown to 2 GiB.
    pub fn finish(self, next_page_token: Option<&LogPageToken>) {
        self.finish_around(0, 0, next_page_token);
    }

    /// As [`Self::finish`], of a page to which the caller adds `count` records of `bytes` in all while sending it,
    /// without copying them here: in front of what stands in the buffer from the returned place on.
    ///
    /// # Panics
    /// If the page has grown to 2 GiB.
    pub fn finish_around(self, count: u32, bytes: usize, next_page_token: Option<&LogPageToken>) -> usize {
        let Self { out, envelope, records_at, records } = self;
        let records_end = out.len();
        let records = records + count;
        put::length_at(out, records_at - 4, records as usize);
        put::stop(out);
        if let Some(token) = next_page_token {
            put::field(out, Kind::Struct, NEXT_PAGE_TOKEN);
            token.write(out);
        }
        put::stop(out);
        put::stop(out);
        envelope.end_around(out, bytes);
        records_end
    }

    /// Takes everything back, so that an exception can be written instead.
    pub fn abandon(self) {
        self.out.truncate(self.envelope.start());
    }
}
