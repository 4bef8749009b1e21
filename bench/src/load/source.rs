//! Requests: made before the run, so that sending one costs nothing; or one by one, where every record has to be another.

use bytes::Bytes;

use super::ledger::Ledger;
use super::records::{Change, Generator};
use crate::protocol::Protocol;

/// Records that a set of requests made before is to hold, so that they stay in the processor's cache.
const PREBUILT_RECORDS: usize = 1024;

/// Where requests come from.
#[derive(Debug)]
pub(super) enum Source {
    /// A few for each connection, sent in turn.
    Prebuilt { requests: Vec<Vec<Bytes>>, turns: Vec<usize> },
    /// Each made when it is sent.
    Fresh { generator: Box<Generator>, protocol: Protocol, batch: usize, ledger: Option<Ledger> },
}

impl Source {
    pub(super) fn prebuilt(
        mut generator: Generator,
        protocol: &Protocol,
        connections: usize,
        batch: usize,
    ) -> Self {
        let each = (PREBUILT_RECORDS / (connections * batch)).clamp(2, 64);
        let of_connection =
            |connection| (0..each).map(|_| request(&mut generator, protocol, connection, batch).1).collect();
        Self::Prebuilt {
            requests: (0..connections).map(of_connection).collect(),
            turns: vec![0; connections],
        }
    }

    pub(super) fn fresh(
        generator: Generator,
        protocol: &Protocol,
        batch: usize,
        ledger: Option<Ledger>,
    ) -> Self {
        Self::Fresh { generator: Box::new(generator), protocol: *protocol, batch, ledger }
    }

    /// The next request of a connection.
    pub(super) fn next(&mut self, connection: usize) -> Bytes {
        match self {
            Self::Prebuilt { requests, turns } => {
                let turn = &mut turns[connection];
                *turn = (*turn + 1) % requests[connection].len();
                requests[connection][*turn].clone()
            }
            Self::Fresh { generator, protocol, batch, ledger } => {
                let (changes, request) = request(generator, protocol, connection, *batch);
                if let Some(ledger) = ledger {
                    ledger.sent(connection, changes);
                }
                request
            }
        }
    }

    /// What is to be known of what was sent, if anything is.
    pub(super) fn ledger(&mut self) -> Option<&mut Ledger> {
        match self {
            Self::Prebuilt { .. } => None,
            Self::Fresh { ledger, .. } => ledger.as_mut(),
        }
    }
}

fn request(
    generator: &mut Generator,
    protocol: &Protocol,
    connection: usize,
    batch: usize,
) -> (Vec<Change>, Bytes) {
    let (changes, records): (Vec<_>, Vec<_>) = (0..batch).map(|_| generator.next(connection)).unzip();
    (changes, protocol.request(connection, &records).into())
}
