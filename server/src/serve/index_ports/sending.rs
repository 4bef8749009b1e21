//! Sending a reply whose records stand elsewhere.

use std::io;
use std::ops::Range;

use logtank_engine::io::buffers::AlignedBuf;
use logtank_engine::recovery_read::page::{Chunk, ChunkMemory};
use logtank_os::disk::Window;
use tokio_uring::buf::BoundedBuf;

use super::calls::{Answerer, Reply};
use super::places::Place;
use super::stream::Stream;

/// Sends all of a reply and gives its memory back; returns its bytes without the records, to be used again.
///
/// # Errors
/// If the peer is gone.
pub(super) async fn send(stream: &mut Stream, answerer: &Answerer, reply: Reply) -> io::Result<Vec<u8>> {
    let Reply { bytes, records_at, chunks, ahead: _, memory } = reply;
    let Some(memory) = memory else {
        let end = bytes.len();
        return send_slice(stream, bytes, 0..end, None).await;
    };
    memory.sending();
    tokio::select! {
        biased;
        sent = send_page(stream, answerer, bytes, records_at, chunks, &memory) => sent,
        () = memory.is_needed() => answerer.shed().map(|()| Vec::new()),
    }
}

async fn send_page(
    stream: &mut Stream,
    answerer: &Answerer,
    mut bytes: Vec<u8>,
    records_at: usize,
    chunks: Vec<Chunk>,
    memory: &Place,
) -> io::Result<Vec<u8>> {
    bytes = send_slice(stream, bytes, 0..records_at, Some(memory)).await?;
    for chunk in chunks {
        let (chunk, range) = chunk.into_parts();
        match chunk {
            ChunkMemory::Segment(buffer) => {
                let (result, buffer) = send_window(stream, buffer, range, memory).await;
                answerer.recycle(ChunkMemory::Segment(buffer));
                result?;
            }
            ChunkMemory::Live(records) => drop(send_slice(stream, records, range, Some(memory)).await?),
        }
    }
    let end = bytes.len();
    send_slice(stream, bytes, records_at..end, Some(memory)).await
}

async fn send_window(
    stream: &mut Stream,
    mut buffer: AlignedBuf,
    mut range: Range<usize>,
    memory: &Place,
) -> (io::Result<()>, AlignedBuf) {
    let Some(socket) = stream.plain() else {
        let result = stream.write_secured(&buffer[range], |taken| memory.taken(taken)).await;
        return (result, buffer);
    };
    while !range.is_empty() {
        let (result, window) = socket.write(Window::new(buffer, range.start, range.len())).submit().await;
        buffer = window.into_buffer();
        match result.and_then(some) {
            Ok(taken) => {
                memory.taken(taken);
                range.start += taken;
            }
            Err(error) => return (Err(error), buffer),
        }
    }
    (Ok(()), buffer)
}

async fn send_slice(
    stream: &mut Stream,
    mut bytes: Vec<u8>,
    mut range: Range<usize>,
    memory: Option<&Place>,
) -> io::Result<Vec<u8>> {
    let progress = |taken| memory.into_iter().for_each(|memory| memory.taken(taken));
    let Some(socket) = stream.plain() else {
        stream.write_secured(&bytes[range], progress).await?;
        return Ok(bytes);
    };
    while !range.is_empty() {
        let (result, slice) = socket.write(bytes.slice(range.clone())).submit().await;
        bytes = slice.into_inner();
        let taken = result.and_then(some)?;
        progress(taken);
        range.start += taken;
    }
    Ok(bytes)
}

/// A write that takes nothing would be tried for ever.
fn some(taken: usize) -> io::Result<usize> {
    if taken == 0 { Err(io::ErrorKind::WriteZero.into()) } else { Ok(taken) }
}
