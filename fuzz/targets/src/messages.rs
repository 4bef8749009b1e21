//! Thrift messages, as a server and as a client read them.

use logtank_wire::call::{ManagerCall, ReaderCall, WriterCall};
use logtank_wire::client::response;
use logtank_wire::inbound::{Inbound, InboundLimits};
use logtank_wire::message::Message;

const LIMITS: InboundLimits = InboundLimits { message_bytes_max: 1 << 16, depth_max: 32 };

/// Splits the stream into messages, delivered in portions of `portion` bytes.
fn split(mut stream: &[u8], portion: usize, mut each: impl FnMut(&Message<'_>)) -> Result<(), String> {
    let mut inbound = Inbound::new(LIMITS);
    while !stream.is_empty() {
        let (now, later) = stream.split_at(portion.min(stream.len()));
        stream = later;
        let mut input = now;
        loop {
            match inbound.next(&mut input) {
                Ok(Some(message)) => each(&message),
                Ok(None) => break,
                Err(error) => return Err(format!("{error:?}")),
            }
        }
        assert!(inbound.pending_bytes() <= LIMITS.message_bytes_max + portion, "more is kept than a message");
    }
    Ok(())
}

/// A stream is split into the same messages however it arrives, and any message can be parsed as any service's.
pub(crate) fn messages(data: &[u8]) {
    let Some((&portion, stream)) = data.split_first() else { return };
    let (mut whole, mut portions) = (Vec::new(), Vec::new());
    let first = split(stream, stream.len().max(1), |message| {
        whole.push(format!("{message:?}"));
        let _ = ReaderCall::parse(message);
        let _ = ManagerCall::parse(message);
        if let Ok(WriterCall::SendBatch(batch)) = WriterCall::parse(message) {
            // Each record takes bytes: their number is bounded by the message's length.
            assert!(batch.records().count() <= stream.len(), "more records than bytes");
        }
    });
    let second = split(stream, usize::from(portion).max(1), |message| portions.push(format!("{message:?}")));
    assert_eq!(whole, portions, "the same bytes, other messages");
    assert_eq!(first.is_err(), second.is_err(), "an error only in one way to arrive");
}

/// A client reads any reply as any result.
pub(crate) fn responses(data: &[u8]) {
    let _ = split(data, data.len().max(1), |message| {
        let _ = response::void(message);
        let _ = response::page(message);
        let _ = response::index_log_info(message);
        let _ = response::raw_log_info(message);
        let _ = response::optimization_queue(message);
        let _ = response::existing_indexes(message);
    });
}
