//! Sends lines of JSON as batches. What was sent when an error stops it is said by line.

use std::io::BufRead;

use anyhow::{Context, anyhow, bail};
use logtank_engine::ids::IndexCode;
use logtank_wire::client::{request, response};

use crate::cli::WriteArgs;
use crate::client::{CallError, Connection, Encryption};
use crate::record_json::RecordJson;
use crate::stderr::remark;

/// A batch is sent when it has grown to this many bytes, however few records it holds.
const BATCH_BYTES: usize = 1 << 20;

/// Records on their way: encoded, one behind the other.
#[derive(Debug, Default)]
struct Batch {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Batch {
    fn records(&self) -> impl Iterator<Item = &[u8]> {
        let begins = std::iter::once(0).chain(self.ends.iter().copied());
        begins.zip(&self.ends).map(|(begin, &end)| &self.bytes[begin..end])
    }
}

struct Sender<'a> {
    args: &'a WriteArgs,
    connection: Connection,
    batch: Batch,
    written: u64,
}

/// Sends what standard input holds.
///
/// # Errors
/// A line that is no record, or a batch that the host does not take; everything before it was written.
pub(crate) fn run(args: &WriteArgs) -> anyhow::Result<()> {
    IndexCode::new(args.index.as_bytes()).with_context(|| format!("--index {}", args.index))?;
    let connection = connect(args)?;
    let mut sender = Sender { args, connection, batch: Batch::default(), written: 0 };
    let outcome = sender.send_lines(std::io::stdin().lock());
    remark!("{} records written to {}", sender.written, args.index);
    outcome
}

fn connect(args: &WriteArgs) -> anyhow::Result<Connection> {
    Connection::open(&args.addr, args.timeout, &Encryption::load(&args.tls)?)
        .with_context(|| format!("can't connect to the writer port {}; is a host running there?", args.addr))
}

impl Sender<'_> {
    fn send_lines(&mut self, mut input: impl BufRead) -> anyhow::Result<()> {
        let (mut line, mut number) = (String::new(), 0u64);
        loop {
            line.clear();
            let length = input.read_line(&mut line).with_context(|| format!("line {}", number + 1))?;
            number += 1;
            if length == 0 {
                return self.send(number - 1);
            }
            if line.trim().is_empty() {
                continue;
            }
            match serde_json::from_str::<RecordJson<'_>>(&line) {
                Ok(record) => self.add(&record),
                Err(error) => {
                    self.send(number - 1)?;
                    bail!(
                        "line {number} is no record: {error}; the lines before it were written, nothing after"
                    );
                }
            }
            if self.batch.ends.len() >= self.args.batch_records as usize
                || self.batch.bytes.len() >= BATCH_BYTES
            {
                self.send(number)?;
            }
        }
    }

    fn add(&mut self, record: &RecordJson<'_>) {
        record.encode(&mut self.batch.bytes, &self.args.index);
        self.batch.ends.push(self.batch.bytes.len());
    }

    /// Sends the batch that ends with this line. Like the original's client, it connects anew once and sends
    /// again: a batch that arrives twice does no harm.
    fn send(&mut self, line: u64) -> anyhow::Result<()> {
        if self.batch.ends.is_empty() {
            return Ok(());
        }
        let outcome = match self.send_once() {
            Err(CallError::Connection(error)) => {
                remark!("logtank: {error}; connecting anew");
                self.connection = connect(self.args)?;
                self.send_once()
            }
            outcome => outcome,
        };
        outcome.map_err(|error| {
            anyhow!("the batch of {} records that ends with line {line}: {error}", self.batch.ends.len())
        })?;
        self.written += self.batch.ends.len() as u64;
        self.batch = Batch::default();
        Ok(())
    }

    fn send_once(&mut self) -> Result<(), CallError> {
        let batch = &self.batch;
        self.connection.call(
            |out, dialect, sequence| request::send_batch(out, dialect, sequence, batch.records()),
            response::void,
        )
    }
}
