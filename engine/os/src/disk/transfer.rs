//! Reading and writing at any offset and length, whatever direct transfers demand.

use std::io;
use std::rc::Rc;

use logtank_engine::io::AlignedBuf;
use logtank_engine::limits::DIRECT_BLOCK_BYTES;

use super::direct::DirectFile;
use super::retry::Retries;
use super::throttle::{Leave, Throttle};
use super::window::Window;

const BLOCK: usize = DIRECT_BLOCK_BYTES;

/// What every drive and every page cache transfers at least: a transfer that ends elsewhere met the file's end.
const SECTOR_BYTES: u64 = 512;

/// Result of a transfer, with the buffer back.
pub(super) type Transferred<T> = (io::Result<T>, AlignedBuf);

/// Fills the buffer's capacity from `offset` on; its length is then what was read.
pub(super) async fn read(
    file: Rc<DirectFile>,
    throttle: Option<Throttle>,
    mut buffer: AlignedBuf,
    offset: u64,
) -> Transferred<()> {
    let capacity = buffer.capacity();
    if let Err(error) = check_range(offset, capacity) {
        return (Err(error), buffer);
    }
    // The kernel may be lent any part of the memory.
    buffer.set_len(capacity);
    let mut done = 0;
    let mut retries = Retries::default();
    let result = loop {
        if done == capacity {
            break Ok(());
        }
        let (bytes, mut leave) = admit(throttle.as_ref(), capacity - done).await;
        let at = offset + done as u64;
        let result;
        if file.is_direct() && !(is_aligned(at) && done.is_multiple_of(BLOCK)) {
            (result, buffer) = read_around(&file, buffer, done, bytes, at).await;
        } else {
            (result, buffer) = read_piece(&file, buffer, done, bytes, at).await;
        }
        if let (Some(leave), Ok(piece)) = (&mut leave, &result) {
            leave.moved(piece.bytes);
        }
        drop(leave);
        match result {
            Ok(piece) => {
                done += piece.bytes;
                if piece.at_end {
                    break Ok(());
                }
            }
            Err(error) if refuses_direct(&file, &error) => {}
            Err(error) if retries.worth_another(&error).await => {}
            Err(error) => break Err(error),
        }
    };
    buffer.set_len(if result.is_ok() { done } else { 0 });
    (result, buffer)
}

/// Writes all bytes of the buffer at `offset`.
///
/// Of a direct file, whole blocks at block boundaries go directly, and what is left (an odd end, or all of it if
/// `offset` is odd) goes through the page cache. So writers of long files pass multiples of a block, but for the
/// end.
pub(super) async fn write(
    file: Rc<DirectFile>,
    throttle: Option<Throttle>,
    mut buffer: AlignedBuf,
    offset: u64,
) -> Transferred<()> {
    let len = buffer.len();
    if let Err(error) = check_range(offset, len) {
        return (Err(error), buffer);
    }
    let mut done = 0;
    let mut retries = Retries::default();
    let result = loop {
        if done == len {
            break Ok(());
        }
        let (bytes, leave) = admit(throttle.as_ref(), len - done).await;
        let at = offset + done as u64;
        let piece = if file.is_direct() { direct_piece(at, done, bytes) } else { Piece::AsOpened(bytes) };
        let result;
        match piece {
            Piece::AsOpened(bytes) => (result, buffer) = write_piece(&file, buffer, done, bytes, at).await,
            Piece::Cached(bytes) => match file.suspend() {
                Ok(_suspended) => (result, buffer) = write_piece(&file, buffer, done, bytes, at).await,
                Err(error) => result = Err(error),
            },
        }
        drop(leave);
        match result {
            Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => done += written,
            Err(error) if refuses_direct(&file, &error) => {}
            Err(error) if retries.worth_another(&error).await => {}
            Err(error) => break Err(error),
        }
    };
    (result, buffer)
}

/// The kernel's offsets are signed, and -1 stands for "where the last transfer ended": no file is so long, so such
/// an offset comes from damaged data.
fn check_range(offset: u64, len: usize) -> io::Result<()> {
    let end = offset.checked_add(len as u64 + 2 * BLOCK as u64);
    if end.is_some_and(|end| i64::try_from(end).is_ok()) {
        Ok(())
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, format!("no file reaches offset {offset}")))
    }
}

/// How the next bytes of a buffer are to be written.
#[derive(Debug, PartialEq, Eq)]
enum Piece {
    AsOpened(usize),
    Cached(usize),
}

/// The next piece of a direct file: place `done` of the buffer goes to `at` in the file, `bytes` at most.
fn direct_piece(at: u64, done: usize, bytes: usize) -> Piece {
    if in_block(at) != done % BLOCK {
        // Memory and file are never at a block boundary together.
        Piece::Cached(bytes)
    } else if !is_aligned(at) {
        // A transfer was cut short; on to the next boundary.
        Piece::Cached(bytes.min(BLOCK - in_block(at)))
    } else if bytes < BLOCK {
        Piece::Cached(bytes)
    } else {
        Piece::AsOpened(bytes - bytes % BLOCK)
    }
}

/// What was read.
struct Read {
    bytes: usize,
    at_end: bool,
}

/// Reads from an odd place of a direct file: whole blocks around it, by way of another buffer.
async fn read_around(
    file: &DirectFile,
    mut buffer: AlignedBuf,
    done: usize,
    bytes: usize,
    at: u64,
) -> Transferred<Read> {
    let skip = in_block(at);
    let mut around = AlignedBuf::with_capacity(skip + bytes);
    around.set_len(around.capacity());
    let whole = around.len();
    let (result, around) = read_piece(file, around, 0, whole, at - skip as u64).await;
    let result = result.and_then(|read| {
        let got = read.bytes.saturating_sub(skip).min(bytes);
        buffer[done..done + got].copy_from_slice(&around[skip..skip + got]);
        if got == 0 {
            // The block holds nothing from here on. A file may end at any sector of a block, and to read from there
            // again would find the same for ever; only its length tells whether this is its end.
            let length = u64::try_from(rustix::fs::fstat(file.fd())?.st_size).unwrap_or(0);
            return Ok(Read { bytes: 0, at_end: at >= length });
        }
        // Blocks beyond those wanted may hold the end; then the next piece finds it.
        Ok(Read { bytes: got, at_end: read.at_end && skip + got >= read.bytes })
    });
    (result, buffer)
}

async fn read_piece(
    file: &DirectFile,
    buffer: AlignedBuf,
    done: usize,
    bytes: usize,
    at: u64,
) -> Transferred<Read> {
    let (result, window) = file.file().read_at(Window::new(buffer, done, bytes), at).await;
    let result = result.map(|read| {
        let at_end = read == 0 || (read < bytes && !(at + read as u64).is_multiple_of(SECTOR_BYTES));
        Read { bytes: read, at_end }
    });
    (result, window.into_buffer())
}

async fn write_piece(
    file: &DirectFile,
    buffer: AlignedBuf,
    done: usize,
    bytes: usize,
    at: u64,
) -> Transferred<usize> {
    let (result, window) = file.file().write_at(Window::new(buffer, done, bytes), at).submit().await;
    (result, window.into_buffer())
}

/// How many of `wanted` bytes may be transferred now; whole blocks if not all of them.
async fn admit(throttle: Option<&Throttle>, wanted: usize) -> (usize, Option<Leave>) {
    let Some(throttle) = throttle else { return (wanted, None) };
    let leave = throttle.admit(wanted).await;
    let allowed = leave.bytes();
    let bytes = if allowed < wanted { (allowed - allowed % BLOCK).max(BLOCK).min(wanted) } else { wanted };
    (bytes, Some(leave))
}

/// Whether the filesystem took the flag but not the transfer (a drive with longer blocks, some network and user
/// space filesystems): the file's transfers are cached from then on.
fn refuses_direct(file: &DirectFile, error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidInput && file.is_direct() && file.give_up().is_ok()
}

const fn in_block(at: u64) -> usize {
    (at % BLOCK as u64) as usize
}

const fn is_aligned(at: u64) -> bool {
    in_block(at) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_blocks_go_directly_and_the_rest_through_the_page_cache() {
        assert_eq!(direct_piece(0, 0, 3 * BLOCK), Piece::AsOpened(3 * BLOCK));
        assert_eq!(direct_piece(8192, 4096, 2 * BLOCK + 7), Piece::AsOpened(2 * BLOCK));
        assert_eq!(direct_piece(8192, 4096, 7), Piece::Cached(7));
        assert_eq!(direct_piece(100, 0, 2 * BLOCK), Piece::Cached(2 * BLOCK), "never aligned together");
        assert_eq!(
            direct_piece(8192 + 512, 512, 2 * BLOCK),
            Piece::Cached(BLOCK - 512),
            "after a short write"
        );
        assert_eq!(direct_piece(8192 + 512, 512, 9), Piece::Cached(9));
    }
}
