//! A client of the three services, one connection, one request at a time, framed.

use std::io::{Error, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use logtank_wire::record::RecordView;

use crate::apply::{State, apply};
use crate::thrift::{self, Change, Cursor};

/// Why a request has no result.
#[derive(Debug)]
pub enum Failure {
    /// The host answered with an exception: its text.
    Refused(String),
    /// The connection failed; whether the request was carried out is unknown.
    Connection(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Connection(error)
    }
}

/// A connection.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    sequence: i32,
}

/// A page as it came.
#[derive(Debug)]
pub struct Page {
    /// How many records the list claims.
    pub records: usize,
    /// The records, one behind the other.
    pub bytes: Vec<u8>,
    /// The next token, as bytes of its struct.
    pub next: Option<Vec<u8>>,
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// The system's.
    pub fn connect(address: SocketAddr) -> Result<Self, Error> {
        let stream = TcpStream::connect_timeout(&address, Duration::from_secs(60))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        stream.set_write_timeout(Some(Duration::from_secs(60)))?;
        Ok(Self { stream, sequence: 0 })
    }

    /// Calls a method; returns the result struct's bytes.
    ///
    /// # Errors
    /// An exception, or a broken connection.
    ///
    /// # Panics
    /// If the reply is not the reply to this call.
    pub fn call(&mut self, name: &str, arguments: &[u8]) -> Result<Vec<u8>, Failure> {
        self.sequence += 1;
        self.stream.write_all(&thrift::call(name, self.sequence, arguments))?;
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let length = u32::from_be_bytes(length) as usize;
        if length > 64 << 20 {
            return Err(Error::new(ErrorKind::InvalidData, format!("a reply of {length} bytes")).into());
        }
        let mut reply = vec![0; length];
        self.stream.read_exact(&mut reply)?;
        let mut cursor = Cursor(&reply);
        let kind = cursor.i32() & 0xff;
        assert_eq!(cursor.text(), name.as_bytes(), "the reply is to another call");
        assert_eq!(cursor.i32(), self.sequence, "the reply is to another call");
        match kind {
            2 => Ok(cursor.0.to_vec()),
            3 => {
                let mut message = String::new();
                while let Some((kind, id)) = cursor.field() {
                    if id == 1 {
                        message = String::from_utf8_lossy(cursor.text()).into_owned();
                    } else {
                        cursor.skip(kind);
                    }
                }
                Err(Failure::Refused(message))
            }
            other => panic!("a message of type {other} instead of a reply"),
        }
    }

    /// `send_batch`.
    ///
    /// # Errors
    /// An exception, or a broken connection.
    pub fn send_batch(&mut self, changes: &[Change]) -> Result<(), Failure> {
        self.call("send_batch", &thrift::send_batch(changes)).map(drop)
    }

    /// `read_page` with a token as it came, or an empty one.
    ///
    /// # Errors
    /// An exception, or a broken connection.
    ///
    /// # Panics
    /// If the reply is no page.
    pub fn read_page(&mut self, index: &str, token: Option<&[u8]>) -> Result<Page, Failure> {
        let result = self.call("read_page", &thrift::read_page(index, token.unwrap_or(&[0])))?;
        let mut cursor = Cursor(&result);
        assert_eq!(cursor.field(), Some((12, 0)), "a result");
        let mut page = Page { records: 0, bytes: Vec::new(), next: None };
        while let Some((kind, id)) = cursor.field() {
            if id == 2 {
                page.next = Some(cursor.value(kind).to_vec());
                continue;
            }
            assert_eq!((kind, id), (12, 1), "a batch");
            assert_eq!(cursor.field(), Some((15, 1)), "its records");
            assert_eq!(cursor.byte(), 12, "records are structs");
            page.records = usize::try_from(cursor.i32()).expect("a count");
            let before = cursor.0;
            for _ in 0..page.records {
                cursor.skip(12);
            }
            page.bytes = before[..before.len() - cursor.0.len()].to_vec();
            assert_eq!(cursor.field(), None, "nothing else in a batch");
        }
        Ok(page)
    }

    /// A whole recovery, applied as an index engine does; also the number of pages.
    ///
    /// # Errors
    /// An exception, or a broken connection.
    ///
    /// # Panics
    /// If it does not end within 100,000 pages.
    pub fn recover(&mut self, index: &str) -> Result<(State, usize), Failure> {
        let (mut state, mut token) = (State::new(), None::<Vec<u8>>);
        for pages in 1..100_000 {
            let page = self.read_page(index, token.as_deref())?;
            let mut rest = page.bytes.as_slice();
            for _ in 0..page.records {
                let (record, length) = RecordView::parse(rest).expect("the host serves whole records");
                apply(&mut state, &record);
                rest = &rest[length..];
            }
            match page.next {
                Some(next) => token = Some(next),
                None => return Ok((state, pages)),
            }
        }
        panic!("the recovery of {index} does not end");
    }
}
