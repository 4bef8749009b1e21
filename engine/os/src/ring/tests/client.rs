//! A client of the writer's port.

use std::io::{Read, Write};
use std::net::TcpStream;

use logtank_wire::client::{request, response};
use logtank_wire::inbound::{Inbound, InboundLimits};
use logtank_wire::message::Dialect;
use logtank_wire::record::RecordWriter;

pub(super) const DIALECT: Dialect = Dialect { strict: true, framed: false };

pub(super) struct Client<S = TcpStream> {
    pub(super) stream: S,
    inbound: Inbound,
    /// Received and not looked at yet.
    received: Vec<u8>,
    sequence: i32,
}

pub(super) fn record(docid: &str, text_bytes: usize) -> Vec<u8> {
    let (mut bytes, text) = (Vec::new(), vec![b'x'; text_bytes]);
    let mut writer = RecordWriter::begin(&mut bytes);
    writer.index_code(b"test");
    writer.docid(docid.as_bytes());
    writer.fields([(&b"text"[..], &text[..])].into_iter());
    writer.finish();
    bytes
}

impl<S: Read + Write> Client<S> {
    pub(super) fn new(stream: S) -> Self {
        let inbound = Inbound::new(InboundLimits { message_bytes_max: 1 << 20, depth_max: 16 });
        Self { stream, inbound, received: Vec::new(), sequence: 0 }
    }

    /// Sends a batch without waiting for its reply.
    pub(super) fn post<'r>(&mut self, records: impl IntoIterator<Item = &'r [u8]>) {
        self.try_post(records).unwrap();
    }

    /// The same, to a host that may end the connection.
    pub(super) fn try_post<'r>(
        &mut self,
        records: impl IntoIterator<Item = &'r [u8]>,
    ) -> std::io::Result<()> {
        let mut bytes = Vec::new();
        self.sequence += 1;
        request::send_batch(&mut bytes, DIALECT, self.sequence, records);
        self.stream.write_all(&bytes)
    }

    /// The next reply, to call `sequence`: an exception's text if it is one; `None` at the end of the connection.
    pub(super) fn reply(&mut self, sequence: i32) -> Option<Result<(), String>> {
        let mut buffer = [0; 4096];
        loop {
            let mut input = &self.received[..];
            let result = self.inbound.next(&mut input).unwrap().map(|message| {
                assert_eq!(message.sequence, sequence, "replies come in order");
                response::void(&message).map_err(|error| error.to_string())
            });
            self.received = input.to_vec();
            if result.is_some() {
                return result;
            }
            match self.stream.read(&mut buffer).unwrap() {
                0 => return None,
                count => self.received.extend_from_slice(&buffer[..count]),
            }
        }
    }

    pub(super) fn send<'r>(&mut self, records: impl IntoIterator<Item = &'r [u8]>) -> Result<(), String> {
        self.post(records);
        self.reply(self.sequence).expect("the connection is open")
    }
}
