//! Redis streams (RESP). A record is the one field of an entry, as the bytes that the host gets; its index is the stream.
//! The entries of a batch are sent at once, without MULTI, which would cost Redis more.

use super::Reply;
use crate::load::Encoded;

/// Entries that a stream keeps, so that memory stays bounded in long runs; more than short ones write.
const ENTRIES_MAX: &str = "100000";

pub(super) fn request(records: &[Encoded]) -> Vec<u8> {
    let mut out = Vec::new();
    for record in records {
        let words: [&[u8]; 8] = [
            b"XADD",
            record.index.as_bytes(),
            b"MAXLEN",
            b"~",
            ENTRIES_MAX.as_bytes(),
            b"*",
            b"r",
            &record.bytes,
        ];
        out.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
        for word in words {
            out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            out.extend_from_slice(word);
            out.extend_from_slice(b"\r\n");
        }
    }
    out
}

/// Each entry is answered by its id: `$LENGTH`, then the id, on a line each.
#[derive(Clone, Debug)]
pub(crate) struct Replies {
    batch: usize,
    answered: usize,
    lines: usize,
    first: Option<u8>,
    error: Option<String>,
    text: Vec<u8>,
}

impl Replies {
    pub(super) const fn new(batch: usize) -> Self {
        Self { batch, answered: 0, lines: 0, first: None, error: None, text: Vec::new() }
    }

    pub(super) fn take(&mut self, bytes: &[u8]) -> Reply {
        for &byte in bytes {
            if self.first.is_none() {
                self.first = Some(byte);
            }
            if self.first == Some(b'-') && self.error.is_none() {
                self.text.push(byte);
            }
            if byte == b'\n' {
                self.end_line();
            }
        }
        if self.answered < self.batch {
            return Reply::Incomplete;
        }
        self.answered = 0;
        self.error.take().map_or(Reply::Acknowledged, Reply::Refused)
    }

    fn end_line(&mut self) {
        self.lines += 1;
        let is_error = self.first == Some(b'-');
        if is_error {
            let text = String::from_utf8_lossy(&self.text).trim_end().to_owned();
            self.text.clear();
            self.error.get_or_insert(text);
        }
        if is_error || self.lines == 2 {
            self.answered += 1;
            self.lines = 0;
            self.first = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_acknowledged_with_its_last_entry() {
        let mut replies = Replies::new(2);
        for _ in 0..2 {
            assert_eq!(replies.take(b"$3\r\n1-0\r\n$3\r"), Reply::Incomplete);
            assert_eq!(replies.take(b"\n1-1\r\n"), Reply::Acknowledged);
        }
    }

    #[test]
    fn an_error_refuses_the_batch() {
        let mut replies = Replies::new(2);
        assert_eq!(replies.take(b"-OOM out of"), Reply::Incomplete);
        assert_eq!(
            replies.take(b" memory\r\n$3\r\n1-0\r\n"),
            Reply::Refused("-OOM out of memory".to_owned())
        );
        assert_eq!(replies.take(b"$3\r\n1-0\r\n$3\r\n1-0\r\n"), Reply::Acknowledged);
    }
}
