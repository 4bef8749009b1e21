//! Sending a reply whose records stand elsewhere.

use std::io;
use std::ops::Range;

use logtank_engine::io::buffers::AlignedBuf;
use logtank_engine::recovery_read::page::ChunkMemory;
use logtank_os::disk::Window;
use tokio_uring::buf::BoundedBuf;

use super::calls::{Answerer, Reply};
use super::stream::Stream;

/// Sends all of a reply and gives its memory back; returns its bytes without the records, to be used again.
///
/// # Errors
/// If the peer is gone.
pub(super) async fn send(stream: &mut Stream, answerer: &Answerer, reply: Reply) -> io::Result<Vec<u8>> {
    let Reply { mut bytes, records_at, chunks, ahead: _, memory } = reply;
    if !chunks.is_empty() {
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
        bytes = send_slice(stream, bytes, records_at..end).await?;
    } else {
        let end = bytes.len();
        bytes = send_slice(stream, bytes, 0..end).await?;
    }
    drop(memory);
    Ok(bytes)
}

async fn send_window(
    stream: &mut Stream,
    buffer: AlignedBuf,
    range: Range<usize>,
) -> (io::Result<()>, AlignedBuf) {
    match stream.plain() {
        Some(socket) => {
            let (result, window) = socket.write_all(Window::new(buffer, range.start, range.len())).await;
            (result, window.into_buffer())
        }
        None => (stream.write_secured(&buffer[range]).await, buffer),
    }
}

async fn send_slice(stream: &mut Stream, bytes: Vec<u8>, range: Range<usize>) -> io::Result<Vec<u8>> {
    if range.is_empty() {
        return Ok(bytes);
    }
    match stream.plain() {
        Some(socket) => {
            let (result, slice) = socket.write_all(bytes.slice(range)).await;
            result.map(|()| slice.into_inner())
        }
        None => stream.write_secured(&bytes[range]).await.map(|()| bytes),
    }
}
