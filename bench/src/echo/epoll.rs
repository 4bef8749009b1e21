use std::io::{ErrorKind, Read, Result, Write};
use std::net::TcpStream as StdStream;

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

struct Peer {
    stream: TcpStream,
    /// Bytes of the request in progress.
    received: usize,
    /// Bytes of replies that the socket did not take yet.
    owed: usize,
    gone: bool,
}

/// One thread, level of effort as low as it gets without a ring.
pub(super) fn serve(sockets: Vec<StdStream>, request_bytes: usize, reply_bytes: usize) -> Result<()> {
    let mut poll = Poll::new()?;
    let mut peers = Vec::new();
    for (number, socket) in sockets.into_iter().enumerate() {
        socket.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(socket);
        let interest = Interest::READABLE | Interest::WRITABLE;
        poll.registry().register(&mut stream, Token(number), interest)?;
        peers.push(Peer { stream, received: 0, owed: 0, gone: false });
    }
    let mut events = Events::with_capacity(1024);
    let (mut buffer, replies) = (vec![0; 256 * 1024], vec![b'.'; reply_bytes * 64]);
    let mut open = peers.len();
    while open > 0 {
        match poll.poll(&mut events, None) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            outcome => outcome?,
        }
        for event in &events {
            let peer = &mut peers[event.token().0];
            if peer.gone {
                continue;
            }
            if peer.turn(&mut buffer, &replies, request_bytes, reply_bytes).is_err() {
                peer.gone = true;
                open -= 1;
            }
        }
    }
    Ok(())
}

impl Peer {
    fn turn(&mut self, buffer: &mut [u8], replies: &[u8], request: usize, reply: usize) -> Result<()> {
        loop {
            let count = match self.stream.read(buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return self.answer(replies),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            self.received += count;
            self.owed += self.received / request * reply;
            self.received %= request;
            // Less than there was room for: nothing is left, and what comes later is told anew.
            if count < buffer.len() {
                return self.answer(replies);
            }
        }
    }

    fn answer(&mut self, replies: &[u8]) -> Result<()> {
        while self.owed > 0 {
            match self.stream.write(&replies[..self.owed.min(replies.len())]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => self.owed -= count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
