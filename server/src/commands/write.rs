//! Sends lines of JSON as batches. What was sent when an error stops it is said by line.

use std::io::BufRead;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, anyhow};
use logtank_engine::ids::IndexCode;
use logtank_wire::client::{request, response};

use crate::cli::WriteArgs;
use crate::client::{CallError, Connection, Encryption, connect};
use crate::record_json::RecordJson;
use crate::stderr::{self, remark};

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

/// What the host has acknowledged.
#[derive(Debug, Default)]
struct Written {
    records: AtomicU64,
    /// The last line of standard input that is among them.
    line: AtomicU64,
}

struct Sender<'a> {
    args: &'a WriteArgs,
    encryption: Encryption,
    connection: Connection,
    batch: Batch,
    written: Arc<Written>,
}

/// Sends what standard input holds.
///
/// # Errors
/// A line that is no record, or a batch that the host does not take; everything before it was written.
pub(crate) fn run(args: &WriteArgs) -> anyhow::Result<()> {
    IndexCode::new(args.index.as_bytes()).with_context(|| format!("--index {}", args.index))?;
    let encryption = Encryption::load(&args.tls)?;
    let connection =
        connect(&args.addr, args.timeout, &encryption, args.wait).map_err(|error| at_port(args, error))?;
    let written = Arc::new(Written::default());
    report_when_interrupted(args.index.clone(), written.clone())?;
    let mut sender = Sender { args, encryption, connection, batch: Batch::default(), written };
    let outcome = sender.send_lines(std::io::stdin().lock());
    remark!("{} records written to {}", sender.written.records.load(Ordering::Relaxed), args.index);
    outcome
}

/// What is wrong with the port, or with what it answered.
fn at_port(args: &WriteArgs, error: CallError) -> anyhow::Error {
    match error {
        CallError::Connection(_) => anyhow::Error::from(error)
            .context(format!("can't connect to the writer port {}; is a host running there?", args.addr)),
        error => anyhow!("the writer port {}: {error}", args.addr),
    }
}

/// Whoever interrupts it learns from where to go on.
fn report_when_interrupted(index: String, written: Arc<Written>) -> anyhow::Result<()> {
    let ending = [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM];
    let mut signals = signal_hook::iterator::Signals::new(ending)?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let Some(signal) = signals.forever().next() else { return };
        let (records, line) = (&written.records, &written.line);
        remark!(
            "{} records written to {index}, up to line {}; interrupted, a batch after it may be written too",
            records.load(Ordering::Relaxed),
            line.load(Ordering::Relaxed)
        );
        stderr::finish();
        // As a shell reports a process that a signal ended.
        std::process::exit(128 + signal);
    })?;
    Ok(())
}

impl Sender<'_> {
    fn send_lines(&mut self, mut input: impl BufRead) -> anyhow::Result<()> {
        let (mut line, mut number) = (Vec::new(), 0u64);
        loop {
            line.clear();
            let length = input.read_until(b'\n', &mut line).with_context(|| format!("line {}", number + 1));
            let length = match length {
                Ok(length) => length,
                Err(error) => {
                    self.send(number)?;
                    return Err(error);
                }
            };
            number += 1;
            if length == 0 {
                return self.send(number - 1);
            }
            // What other programs put in front of text that is UTF-8.
            let text = if number == 1 { line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line) } else { &line };
            if text.trim_ascii().is_empty() {
                continue;
            }
            match RecordJson::parse(text) {
                Ok(record) => self.add(&record),
                Err(error) => {
                    self.send(number - 1)?;
                    return Err(anyhow!(
                        "line {number} is no record: {error}; the lines before it were written, nothing after"
                    ));
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
            Err(error @ CallError::Connection(_)) if error.may_pass() => {
                remark!("logtank: {error}; connecting anew");
                let WriteArgs { addr, timeout, wait, .. } = self.args;
                self.connection = connect(addr, *timeout, &self.encryption, *wait)
                    .map_err(|error| at_port(self.args, error))?;
                self.send_once()
            }
            outcome => outcome,
        };
        outcome.map_err(|error| {
            let at = &self.args.addr;
            anyhow!(
                "the batch of {} records that ends with line {line}, to the writer port {at}: {error}",
                self.batch.ends.len()
            )
        })?;
        self.written.records.fetch_add(self.batch.ends.len() as u64, Ordering::Relaxed);
        self.written.line.store(line, Ordering::Relaxed);
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
