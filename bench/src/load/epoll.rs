//! The engine for machines without `io_uring`: readiness, one read and one write a request.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::TcpStream as StdStream;
use std::time::Duration;

use bytes::{Buf, Bytes};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::clients::{Clients, Turn};

struct Connection {
    stream: TcpStream,
    /// What is still to be sent.
    request: Bytes,
    gone: bool,
}

/// Drives `clients` over these sockets until it wants to end.
///
/// # Errors
/// If there is no epoll.
pub(super) fn run(sockets: Vec<StdStream>, clients: &mut dyn Clients) -> Result<()> {
    let mut poll = Poll::new()?;
    let mut connections = Vec::new();
    for (number, socket) in sockets.into_iter().enumerate() {
        socket.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(socket);
        let interest = Interest::READABLE | Interest::WRITABLE;
        poll.registry().register(&mut stream, Token(number), interest)?;
        connections.push(Connection { stream, request: Bytes::new(), gone: false });
    }
    let mut events = Events::with_capacity(1024);
    let (mut outbox, mut buffer) = (Vec::new(), vec![0; 64 * 1024]);
    loop {
        let next = clients.turn(&mut outbox);
        for (number, request) in outbox.drain(..) {
            let connection = &mut connections[number];
            connection.request = request;
            let outcome = connection.flush();
            connection.note(number, outcome, clients);
        }
        let patience = match next {
            Turn::End => return Ok(()),
            Turn::Poll => Duration::ZERO,
            // Readiness is waited for in milliseconds; what is due sooner is polled for.
            Turn::Wait(patience) if patience < Duration::from_millis(1) => Duration::ZERO,
            Turn::Wait(patience) => {
                Duration::from_millis(u64::try_from(patience.as_millis()).unwrap_or(u64::MAX))
            }
        };
        match poll.poll(&mut events, Some(patience)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            outcome => outcome?,
        }
        for event in &events {
            let number = event.token().0;
            let connection = &mut connections[number];
            let outcome = connection.flush().and_then(|()| connection.receive(number, &mut buffer, clients));
            connection.note(number, outcome, clients);
        }
    }
}

impl Connection {
    fn flush(&mut self) -> Result<()> {
        while !self.request.is_empty() {
            match self.stream.write(&self.request) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => self.request.advance(count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn receive(&mut self, number: usize, buffer: &mut [u8], clients: &mut dyn Clients) -> Result<()> {
        loop {
            match self.stream.read(buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => {
                    clients.received(number, &buffer[..count]);
                    // Less than there was room for: nothing is left, and what comes later is told anew.
                    if count < buffer.len() {
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn note(&mut self, number: usize, outcome: Result<()>, clients: &mut dyn Clients) {
        if let Err(error) = outcome
            && !self.gone
        {
            self.gone = true;
            clients.closed(number, Error::new(error.kind(), error));
        }
    }
}
