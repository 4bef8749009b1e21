//! The load: several connections, each with documents of its own, so that the order of changes to a document is the
//! order in which its connection got replies.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use logtank_wire::client::{request, response};

use super::model::{Index, apply};
use crate::client::{CallError, Connection, Encryption};
use crate::record_json::{Number, RecordJson};

/// Connections that write at once.
pub(super) const CONNECTIONS: usize = 16;
/// Indexes that they write to.
pub(super) const INDEXES: usize = 5;
/// Records of one batch.
pub(super) const BATCH_RECORDS: usize = 20;
/// Documents of one connection in one index: small enough that most are changed several times.
const DOCUMENTS: u64 = 400;

/// Name of an index.
pub(super) fn index_name(index: usize) -> String {
    format!("demo-{index}")
}

/// One connection's writer, and what it knows to be there.
pub(super) struct Writer {
    number: usize,
    /// By number, so that the load is the same each time.
    random: fastrand::Rng,
    batches: u64,
    /// By index: what was acknowledged.
    pub(super) acknowledged: Vec<Index>,
    /// The batch that got no reply, if there is one: its index, and that index with the batch.
    pub(super) in_doubt: Option<(usize, Index)>,
    /// How long each acknowledgement took.
    pub(super) latencies: Vec<Duration>,
}

/// What ends a load, and how far it is.
#[derive(Debug, Default)]
pub(super) struct Control {
    pub(super) over: AtomicBool,
    pub(super) acknowledged_batches: AtomicU64,
}

impl Writer {
    pub(super) fn new(number: usize) -> Self {
        Self {
            number,
            random: fastrand::Rng::with_seed(number as u64),
            batches: 0,
            acknowledged: vec![Index::new(); INDEXES],
            in_doubt: None,
            latencies: Vec::new(),
        }
    }

    /// Writes until it is told to end, or the connection fails: then its last batch is in doubt.
    ///
    /// # Errors
    /// If the host refuses a batch, or answers nonsense.
    pub(super) fn write(&mut self, address: &str, control: &Control) -> anyhow::Result<()> {
        let mut connection = Connection::open(address, Duration::from_secs(30), &Encryption::default())?;
        while !control.over.load(Ordering::Relaxed) {
            let index = self.random.usize(..INDEXES);
            let name = index_name(index);
            let (mut bytes, mut ends) = (Vec::new(), Vec::new());
            let mut after = self.acknowledged[index].clone();
            for _ in 0..BATCH_RECORDS {
                let record = self.change();
                record.encode(&mut bytes, &name);
                ends.push(bytes.len());
                apply(&mut after, &record);
            }
            let begins = std::iter::once(0).chain(ends.iter().copied());
            let records = begins.zip(&ends).map(|(begin, &end)| &bytes[begin..end]);
            let began = Instant::now();
            let outcome = connection.call(
                |out, dialect, sequence| request::send_batch(out, dialect, sequence, records),
                response::void,
            );
            match outcome {
                Ok(()) => {
                    self.latencies.push(began.elapsed());
                    self.acknowledged[index] = after;
                    control.acknowledged_batches.fetch_add(1, Ordering::Relaxed);
                }
                Err(CallError::Connection(_)) => {
                    self.in_doubt = Some((index, after));
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Mostly additions, a third updates, some deletions.
    fn change(&mut self) -> RecordJson<'static> {
        self.batches += 1;
        let number = self.batches;
        let document = self.random.u64(..DOCUMENTS);
        let docid = format!("{}-{document}", self.number).into();
        #[expect(clippy::cast_precision_loss, reason = "any double will do")]
        let score = Number(number as f64 / 7.0);
        match self.random.u8(..20) {
            0 => RecordJson { docid, deleted: true, ..RecordJson::default() },
            1..=6 => {
                RecordJson { docid, variables: Some(BTreeMap::from([(1, score)])), ..RecordJson::default() }
            }
            _ => {
                let text: Cow<'static, str> =
                    format!("Change {number}. {}", "Lorem ipsum dolor sit amet. ".repeat(10)).into();
                let fields = BTreeMap::from([("text".into(), text), ("match".into(), "all".into())]);
                let categories =
                    BTreeMap::from([("color".into(), ["red", "green", "blue"][self.number % 3].into())]);
                RecordJson {
                    docid,
                    deleted: false,
                    fields: Some(fields),
                    variables: Some(BTreeMap::from([(0, score)])),
                    categories: Some(categories),
                }
            }
        }
    }
}
