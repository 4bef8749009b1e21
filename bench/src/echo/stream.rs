use std::fs::{File, OpenOptions};
use std::io::{Read, Result, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use rustix::fs::OFlags;

/// As much as a page of a recovery has.
const PIECE_BYTES: usize = 5 << 20;
/// What a direct read's memory must be aligned to.
const ALIGNMENT: usize = 4096;

/// Sends the file on each connection, then closes it: read from the page cache, or past it with the next piece being
/// read while one is sent.
pub(super) fn serve(listener: &TcpListener, file: &Path, connections: usize, direct: bool) -> Result<()> {
    for _ in 0..connections {
        let (mut socket, _) = listener.accept()?;
        socket.set_nodelay(true)?;
        if direct { send_direct(&mut socket, file)? } else { send_cached(&mut socket, file)? }
    }
    Ok(())
}

fn send_cached(socket: &mut TcpStream, file: &Path) -> Result<()> {
    let mut file = File::open(file)?;
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let count = file.read(&mut piece)?;
        if count == 0 {
            return Ok(());
        }
        socket.write_all(&piece[..count])?;
    }
}

fn send_direct(socket: &mut TcpStream, file: &Path) -> Result<()> {
    let flags = i32::try_from(OFlags::DIRECT.bits()).expect("flags of open fit");
    let mut file = OpenOptions::new().read(true).custom_flags(flags).open(file)?;
    let (fill, to_fill): (SyncSender<Piece>, Receiver<Piece>) = sync_channel(2);
    let (filled, to_send) = sync_channel(2);
    // All ends of the channels go with this closure, so that the reader ends when the connection fails.
    thread::scope(move |scope| {
        scope.spawn(move || {
            for mut piece in to_fill {
                let read = file.read(piece.memory_mut());
                let ended = !matches!(read, Ok(count) if count > 0);
                // Where nobody takes it, the connection has failed, and says so.
                if filled.send(read.map(|count| (piece, count))).is_err() || ended {
                    return;
                }
            }
        });
        for _ in 0..2 {
            let _ = fill.send(Piece::new());
        }
        for read in to_send {
            let (piece, count) = read?;
            socket.write_all(&piece.memory()[..count])?;
            // The reader has gone when it met the end.
            let _ = fill.send(piece);
        }
        Ok(())
    })
}

/// Memory that direct reads accept.
struct Piece {
    memory: Vec<u8>,
    aligned: Range<usize>,
}

impl Piece {
    fn new() -> Self {
        let memory = vec![0; PIECE_BYTES + ALIGNMENT];
        let begin = memory.as_ptr().align_offset(ALIGNMENT);
        Self { memory, aligned: begin..begin + PIECE_BYTES }
    }

    fn memory(&self) -> &[u8] {
        &self.memory[self.aligned.clone()]
    }

    fn memory_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.aligned.clone()]
    }
}
