//! NATS JetStream. A record is a message as the bytes that the host gets; its index is the subject. Each message asks for an
//! acknowledgement, which comes when the stream has stored it; those of a batch are sent at once.

use std::io::{BufRead, BufReader, Error, Result, Write};
use std::net::TcpStream;

use super::Reply;
use crate::load::Encoded;

/// The stream that takes the subjects.
const STREAM: &str = "bench";

/// Connects and listens for acknowledgements.
pub(super) fn greet(stream: &mut TcpStream, connection: usize) -> Result<()> {
    let hello = format!(
        "CONNECT {{\"verbose\":false,\"pedantic\":false,\"lang\":\"rust\",\"version\":\"1\",\"protocol\":1}}\r\n\
         SUB {} 1\r\nPING\r\n",
        inbox(connection)
    );
    stream.write_all(hello.as_bytes())?;
    let mut lines = BufReader::new(stream);
    let mut line = String::new();
    while lines.read_line(&mut line)? > 0 {
        if line.starts_with("PONG") {
            return Ok(());
        }
        if line.starts_with("-ERR") {
            return Err(Error::other(format!("NATS refuses the connection: {line}")));
        }
        line.clear();
    }
    Err(Error::other("NATS closed the connection before it answered"))
}

/// Makes the stream, kept in files.
///
/// # Errors
/// If NATS says no.
pub(crate) fn create_stream(stream: &mut TcpStream) -> Result<()> {
    greet(stream, 0)?;
    let wanted = format!(
        "{{\"name\":\"{STREAM}\",\"subjects\":[\"{STREAM}.>\"],\"storage\":\"file\",\"retention\":\"limits\",\
         \"num_replicas\":1}}"
    );
    let call = format!("PUB $JS.API.STREAM.CREATE.{STREAM} {} {}\r\n{wanted}\r\n", inbox(0), wanted.len());
    stream.write_all(call.as_bytes())?;
    let mut replies = Replies::new(1);
    let mut buffer = [0; 4096];
    loop {
        let count = std::io::Read::read(stream, &mut buffer)?;
        if count == 0 {
            return Err(Error::other("NATS closed the connection before the stream was made"));
        }
        match replies.take(&buffer[..count]) {
            Reply::Incomplete => {}
            Reply::Acknowledged => return Ok(()),
            Reply::Refused(why) => return Err(Error::other(format!("NATS does not make the stream: {why}"))),
        }
    }
}

fn inbox(connection: usize) -> String {
    format!("_INBOX.{connection}")
}

pub(super) fn request(connection: usize, records: &[Encoded]) -> Vec<u8> {
    let mut out = Vec::new();
    for Encoded { index, bytes } in records {
        out.extend_from_slice(
            format!("PUB {STREAM}.{index} {} {}\r\n", inbox(connection), bytes.len()).as_bytes(),
        );
        out.extend_from_slice(bytes);
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// Acknowledgements are messages: `MSG SUBJECT SID LENGTH`, then that many bytes of JSON.
#[derive(Clone, Debug)]
pub(crate) struct Replies {
    batch: usize,
    answered: usize,
    error: Option<String>,
    received: Vec<u8>,
}

impl Replies {
    pub(super) const fn new(batch: usize) -> Self {
        Self { batch, answered: 0, error: None, received: Vec::new() }
    }

    pub(super) fn take(&mut self, bytes: &[u8]) -> Reply {
        self.received.extend_from_slice(bytes);
        let mut rest = self.received.as_slice();
        while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
            let line = String::from_utf8_lossy(&rest[..end]);
            let mut behind = &rest[end + 2..];
            if let Some(length) = line.strip_prefix("MSG ").and_then(|line| line.rsplit(' ').next()) {
                let length = length.parse::<usize>().unwrap_or(0);
                if behind.len() < length + 2 {
                    break;
                }
                let payload = &behind[..length];
                if payload.windows(7).any(|word| word == b"\"error\"") {
                    self.error.get_or_insert(String::from_utf8_lossy(payload).into_owned());
                }
                self.answered += 1;
                behind = &behind[length + 2..];
            } else if line.starts_with("-ERR") {
                self.error.get_or_insert(line.into_owned());
                self.answered += 1;
            }
            rest = behind;
        }
        let left = rest.len();
        self.received.drain(..self.received.len() - left);
        if self.answered < self.batch {
            return Reply::Incomplete;
        }
        self.answered = 0;
        self.error.take().map_or(Reply::Acknowledged, Reply::Refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acknowledgements_come_in_any_portions_and_among_other_lines() {
        let bytes = b"PING\r\nMSG _INBOX.3 1 5\r\n{\r\n1}\r\nMSG _INBOX.3 1 2\r\n{}\r\n";
        for cut in 0..bytes.len() {
            let mut replies = Replies::new(2);
            assert_eq!(replies.take(&bytes[..cut]), Reply::Incomplete, "{cut}");
            assert_eq!(replies.take(&bytes[cut..]), Reply::Acknowledged, "{cut}");
        }
    }

    #[test]
    fn an_error_refuses_the_batch() {
        let answer = b"MSG _INBOX.0 1 24\r\n{\"error\":{\"code\":503 }  }\r\n";
        let Reply::Refused(why) = Replies::new(1).take(answer) else { panic!("not refused") };
        assert!(why.contains("503"));
    }
}
