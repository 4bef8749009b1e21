//! Recovers an index as an engine does.

use std::time::{Duration, Instant};

use logtank_wire::client::{request, response};
use logtank_wire::page::LogPageToken;

use super::model::{Index, apply};
use crate::client::{CallError, Connection, Encryption};
use crate::record_json::RecordJson;

/// A recovered index, and what it took.
#[derive(Debug, Default)]
pub(super) struct Recovered {
    pub(super) index: Index,
    pub(super) records: u64,
    pub(super) pages: u64,
    pub(super) bytes: u64,
    pub(super) took: Duration,
}

/// Recovers the index `name`.
///
/// # Errors
/// If a page can't be had.
pub(super) fn recover(address: &str, name: &str) -> Result<Recovered, CallError> {
    let mut connection = Connection::open(address, Duration::from_secs(30), &Encryption::default())?;
    let mut recovered = Recovered::default();
    let mut token = LogPageToken::default();
    loop {
        let began = Instant::now();
        let (records, bytes) = (&mut recovered.records, &mut recovered.bytes);
        let index = &mut recovered.index;
        let next = connection.call(
            |out, dialect, sequence| request::read_page(out, dialect, sequence, name.as_bytes(), &token),
            |message| {
                let page = response::page(message)?;
                for record in page.records {
                    let (view, encoded) = record?;
                    apply(index, &RecordJson::from_view(&view));
                    *records += 1;
                    *bytes += encoded.len() as u64;
                }
                Ok(page.next_page_token)
            },
        )?;
        recovered.took += began.elapsed();
        recovered.pages += 1;
        match next {
            Some(next) => token = next,
            None => return Ok(recovered),
        }
    }
}
