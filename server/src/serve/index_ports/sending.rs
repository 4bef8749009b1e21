//! Sending a reply whose records stand elsewhere.

use std::io;

use logtank_engine::recovery_read::page::ChunkMemory;
use logtank_os::disk::Window;
use tokio_uring::buf::BoundedBuf;
use tokio_uring::net::TcpStream;

use super::calls::{Answerer, Reply};

/// Sends all of a reply and gives its memory back; returns its bytes without the records, to be used again.
///
/// # Errors
/// If the peer is gone.
pub(super) async fn send(stream: &TcpStream, answerer: &Answerer, reply: Reply) -> io::Result<Vec<u8>> {
    let Reply { mut bytes, records_at, chunks, ahead: _, memory } = reply;
    if !chunks.is_empty() {
        bytes = send_slice(stream, bytes, 0..records_at).await?;
        for chunk in chunks {
            let (chunk, range) = chunk.into_parts();
            match chunk {
                ChunkMemory::Segment(buffer) => {
                    let (result, window) =
                        stream.write_all(Window::new(buffer, range.start, range.len())).await;
                    answerer.recycle(ChunkMemory::Segment(window.into_buffer()));
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

async fn send_slice(
    stream: &TcpStream,
    bytes: Vec<u8>,
    range: std::ops::Range<usize>,
) -> io::Result<Vec<u8>> {
    if range.is_empty() {
        return Ok(bytes);
    }
    let (result, slice) = stream.write_all(bytes.slice(range)).await;
    result.map(|()| slice.into_inner())
}
