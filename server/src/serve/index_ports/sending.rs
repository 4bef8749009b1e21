//! Sending a reply whose records stand elsewhere.

use std::io;
use std::ops::Range;
use std::time::{Duration, Instant};

use logtank_engine::io::AlignedBuf;
use logtank_engine::recovery_read::{Chunk, ChunkMemory};
use logtank_os::disk::Window;
use tokio_uring::buf::BoundedBuf;

use super::calls::{Answerer, Reply};
use super::ending::End;
use super::places::Place;
use super::stream::{Line, Stream};

/// Between two looks at how much the peer has received.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Sends all of a reply and gives its memory back; returns its bytes without the records, to be used again. `patience` is
/// how long the peer may receive nothing of it.
///
/// # Errors
/// If the peer is gone, or its place is needed by others.
pub(super) async fn send(
    stream: &mut Stream,
    answerer: &Answerer,
    reply: Reply,
    patience: Duration,
) -> Result<Vec<u8>, End> {
    let Reply { bytes, records_at, chunks, ahead: _, memory } = reply;
    let memory = memory.as_ref();
    memory.into_iter().for_each(Place::sending);
    // What the kernel takes says little of the peer: its buffers are as long as a page, and have room in large steps.
    let received = Received::of(stream);
    let is_needed = async {
        match memory {
            Some(memory) => memory.is_needed().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        sent = send_all(stream, answerer, bytes, records_at, chunks) => Ok(sent?),
        () = received.end(patience, |bytes| memory.into_iter().for_each(|memory| memory.taken(bytes))) => {
            Err(End::Gone)
        }
        () = is_needed => Err(End::Shed),
    }
}

/// What the peer receives.
struct Received {
    line: Line,
    bytes: u64,
}

impl Received {
    fn of(stream: &Stream) -> Self {
        let line = stream.line();
        Self { line, bytes: line.acknowledged_bytes() }
    }

    /// Gives `progress` what the peer receives from time to time; completes when that was nothing for so long.
    async fn end(mut self, patience: Duration, progress: impl Fn(u64)) {
        let mut moved = Instant::now();
        loop {
            tokio::time::sleep(LOOK_EVERY.min(patience)).await;
            let bytes = self.line.acknowledged_bytes();
            if bytes > self.bytes {
                progress(bytes - self.bytes);
                (self.bytes, moved) = (bytes, Instant::now());
            } else if moved.elapsed() >= patience {
                return;
            }
        }
    }
}

async fn send_all(
    stream: &mut Stream,
    answerer: &Answerer,
    mut bytes: Vec<u8>,
    records_at: usize,
    chunks: Vec<Chunk>,
) -> io::Result<Vec<u8>> {
    bytes = send_slice(stream, bytes, 0..records_at).await?;
    for chunk in chunks {
        let (chunk, range) = chunk.into_parts();
        match chunk {
            ChunkMemory::Segment(buffer) => {
                let (result, buffer) = send_window(stream, buffer, range).await;
                answerer.recycle(ChunkMemory::Segment(buffer));
                result?;
            }
            ChunkMemory::Live(records) => drop(send_slice(stream, records, range).await?),
        }
    }
    let end = bytes.len();
    send_slice(stream, bytes, records_at..end).await
}

async fn send_window(
    stream: &mut Stream,
    mut buffer: AlignedBuf,
    mut range: Range<usize>,
) -> (io::Result<()>, AlignedBuf) {
    let Some(socket) = stream.plain() else {
        let result = stream.write_secured(&buffer[range]).await;
        return (result, buffer);
    };
    while !range.is_empty() {
        let (result, window) = socket.write(Window::new(buffer, range.start, range.len())).submit().await;
        buffer = window.into_buffer();
        match result.and_then(some) {
            Ok(taken) => range.start += taken,
            Err(error) => return (Err(error), buffer),
        }
    }
    (Ok(()), buffer)
}

async fn send_slice(stream: &mut Stream, mut bytes: Vec<u8>, mut range: Range<usize>) -> io::Result<Vec<u8>> {
    let Some(socket) = stream.plain() else {
        stream.write_secured(&bytes[range]).await?;
        return Ok(bytes);
    };
    while !range.is_empty() {
        let (result, slice) = socket.write(bytes.slice(range.clone())).submit().await;
        bytes = slice.into_inner();
        range.start += result.and_then(some)?;
    }
    Ok(bytes)
}

/// A write that takes nothing would be tried for ever.
fn some(taken: usize) -> io::Result<usize> {
    if taken == 0 { Err(io::ErrorKind::WriteZero.into()) } else { Ok(taken) }
}
