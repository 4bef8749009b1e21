//! How long one core needs for a message of `send_batch`, from bytes to checked records, and to normalize them.
//!
//! `cargo run --release -p logtank-wire --example receive_rate [ROUNDS]`
#![expect(clippy::disallowed_methods, reason = "it measures time, and is no part of the engine")]

use std::hint::black_box;
use std::time::Instant;

use logtank_wire::call::WriterCall;
use logtank_wire::client::request;
use logtank_wire::inbound::{Inbound, InboundLimits};
use logtank_wire::message::Dialect;
use logtank_wire::record::{RecordView, RecordWriter, write_normalized};

const LIMITS: InboundLimits = InboundLimits { message_bytes_max: 16 << 20, depth_max: 32 };
const DIALECT: Dialect = Dialect { strict: true, framed: false };
/// Bytes received at once.
const PORTION_BYTES: usize = 64 * 1024;

fn record(text_bytes: usize) -> Vec<u8> {
    let text = vec![b'x'; text_bytes];
    let mut out = Vec::new();
    let mut writer = RecordWriter::begin(&mut out);
    writer.index_code(b"index");
    writer.docid(b"document-0123456789");
    writer.deleted(false);
    writer.fields(
        [(&b"text"[..], &text[..]), (b"title", b"a title"), (b"timestamp", b"1700000000")].into_iter(),
    );
    writer.variables([(0, 1.0), (1, 2.0)].into_iter());
    writer.categories([(&b"kind"[..], &b"test"[..])].into_iter());
    writer.finish();
    out
}

fn receive(bytes: &[u8], portion_bytes: usize) -> usize {
    let mut inbound = Inbound::new(LIMITS);
    let mut records = 0;
    for mut input in bytes.chunks(portion_bytes) {
        while let Some(message) = inbound.next(&mut input).expect("good messages") {
            let WriterCall::SendBatch(batch) = WriterCall::parse(&message).expect("a batch");
            for record in batch.records() {
                let (view, bytes) = record.expect("good records");
                assert!(view.has_content() && view.id.is_none());
                black_box((view, bytes));
                records += 1;
            }
        }
    }
    records
}

/// Prints what the fastest of the rounds took for one of `records`; the slower ones were disturbed.
fn report(what: &str, rounds: u32, records: usize, bytes: usize, mut round: impl FnMut()) {
    let fastest = (0..rounds).map(|_| {
        let start = Instant::now();
        round();
        start.elapsed()
    });
    let seconds = fastest.min().expect("at least one round").as_secs_f64();
    let (nanos, rate) = (seconds * 1e9 / records as f64, bytes as f64 / seconds / 1e9);
    println!("{what}: {nanos:.0} ns a record, {rate:.1} GB/s");
}

fn main() {
    let rounds = std::env::args().nth(1).map_or(100, |text| text.parse().expect("how many rounds, a number"));
    for (what, per_message, text_bytes) in
        [("1 record of 1 KB", 1, 850), ("100 records of 1 KB", 100, 850), ("100 records of 250 B", 100, 64)]
    {
        let record = record(text_bytes);
        let mut message = Vec::new();
        request::send_batch(&mut message, DIALECT, 1, (0..per_message).map(|_| &record[..]));
        let messages = (1 << 20) / message.len();
        let stream = message.repeat(messages);
        let records = messages * per_message;
        for (how, portion_bytes) in [("whole", stream.len()), ("in 64 KiB", PORTION_BYTES)] {
            report(&format!("{what}, {how}"), rounds, records, stream.len(), || {
                assert_eq!(receive(black_box(&stream), portion_bytes), records);
            });
        }
        let (view, _) = RecordView::parse(&record).expect("a good record");
        let mut out = Vec::with_capacity(2 << 20);
        report("    normalized", rounds, records, stream.len(), || {
            out.clear();
            (0..records).for_each(|_| write_normalized(&mut out, black_box(&view), 7));
        });
    }
}
