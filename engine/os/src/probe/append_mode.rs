//! How a shard should write on a filesystem: through the page cache or past it.
//!
//! A write that the kernel can't finish at once is handed to a worker thread, which costs more than the write. Which
//! ones it can finish differs by filesystem (and kernel): buffered writes on XFS and btrfs, direct ones into
//! blocks that were written before on ext4 and XFS. So it is tried, with writes that the kernel must
//! refuse rather than hand over (`RWF_NOWAIT`).

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use io_uring::{IoUring, opcode, types};
use logtank_engine::format::TEMPORARY_PREFIX;
use logtank_engine::io::AlignedBuf;
use logtank_engine::limits::DIRECT_BLOCK_BYTES;
use logtank_engine::raw_log::AppendMode;
use rustix::fs::{Advice, AtFlags, OFlags, StatxFlags, fadvise, fcntl_getfl, fcntl_setfl, statx};

use super::mount::Mount;

/// Writes of each kind that are tried.
const TRIES: usize = 16;

/// What became of writes of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writes {
    /// Most are finished when they are submitted.
    Inline,
    /// Most would be handed to a worker thread.
    Handed,
    /// There are none of this kind.
    Impossible,
}

/// How to append on a filesystem, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppendAdvice {
    /// The better way.
    pub mode: AppendMode,
    /// The filesystem's type, as in "ext4".
    pub filesystem: String,
    /// Writes through the page cache.
    pub buffered: Writes,
    /// Writes past it, into blocks that were written before.
    pub direct: Writes,
    /// What direct transfers must be multiples of, in memory and in the file, in bytes, as far as the kernel tells.
    pub direct_alignment: Option<(u32, u32)>,
}

impl fmt::Display for AppendAdvice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let say = |writes| match writes {
            Writes::Inline => "finish when submitted",
            Writes::Handed => "are handed to a worker thread",
            Writes::Impossible => "are not possible",
        };
        let Self { filesystem, buffered, direct, .. } = self;
        write!(f, "on {filesystem} buffered writes {}, direct writes {}", say(*buffered), say(*direct))
    }
}

/// Tries both ways with a temporary file in `folder`, which is removed again. Blocks for some milliseconds.
///
/// # Errors
/// If the file can't be created, written or removed, or the ring is refused.
pub fn append_mode(folder: &Path) -> io::Result<AppendAdvice> {
    let filesystem =
        Mount::of(folder).map_or_else(|_| "an unknown filesystem".to_owned(), |mount| mount.filesystem);
    let path = folder.join(format!("{TEMPORARY_PREFIX}probe-{:016x}", crate::random::salt().0));
    let tried = create(&path).and_then(|file| {
        let mut ring = IoUring::new(4)?;
        let buffered = try_writes(&mut ring, &file)?;
        let alignment = direct_alignment(&file)?;
        let direct = if set_direct(&file).is_ok() && fits(alignment) {
            try_writes(&mut ring, &file)?
        } else {
            Writes::Impossible
        };
        Ok((buffered, direct, alignment))
    });
    let removed = std::fs::remove_file(&path);
    let (buffered, direct, direct_alignment) = tried?;
    removed?;
    Ok(AppendAdvice { mode: choose(buffered, direct), filesystem, buffered, direct, direct_alignment })
}

/// Buffered writes need no padding, so they win where they are as good. Where both are handed over, direct ones at
/// least spare the drive a burst of write-out at each sync.
const fn choose(buffered: Writes, direct: Writes) -> AppendMode {
    match (buffered, direct) {
        (Writes::Inline, _) | (_, Writes::Impossible) => AppendMode::Buffered,
        (Writes::Handed | Writes::Impossible, Writes::Inline | Writes::Handed) => AppendMode::Direct,
    }
}

/// A file whose blocks are all written, as segments made ready are.
fn create(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
    let zeros = vec![0; TRIES * DIRECT_BLOCK_BYTES];
    std::os::unix::fs::FileExt::write_all_at(&file, &zeros, 0)?;
    file.sync_all()?;
    // A direct write may have to wait for cached pages to go; segments made ready have none.
    fadvise(&file, 0, None, Advice::DontNeed)?;
    Ok(file)
}

fn direct_alignment(file: &File) -> io::Result<Option<(u32, u32)>> {
    let status = statx(file, "", AtFlags::EMPTY_PATH, StatxFlags::DIOALIGN)?;
    let told = StatxFlags::from_bits_retain(status.stx_mask).contains(StatxFlags::DIOALIGN);
    Ok(told.then_some((status.stx_dio_mem_align, status.stx_dio_offset_align)))
}

/// Whether our blocks are multiples of what the filesystem demands (zero: it has no direct transfers).
fn fits(alignment: Option<(u32, u32)>) -> bool {
    let block = DIRECT_BLOCK_BYTES as u32;
    alignment.is_none_or(|(memory, file)| {
        memory != 0 && file != 0 && block.is_multiple_of(memory) && block.is_multiple_of(file)
    })
}

fn set_direct(file: &File) -> io::Result<()> {
    Ok(fcntl_setfl(file, fcntl_getfl(file)? | OFlags::DIRECT)?)
}

fn try_writes(ring: &mut IoUring, file: &File) -> io::Result<Writes> {
    let mut block = AlignedBuf::with_capacity(DIRECT_BLOCK_BYTES);
    block.set_len(DIRECT_BLOCK_BYTES);
    let mut inline = 0;
    for index in 0..TRIES {
        let at = (index * DIRECT_BLOCK_BYTES) as u64;
        let tried = match try_write(ring, file, &block, at) {
            Ok(result) => result,
            Err(broken) => {
                // Whether the kernel has seen the write is not known, so its memory must stay.
                std::mem::forget(block);
                return Err(broken);
            }
        };
        match tried {
            Ok(_) => inline += 1,
            Err(error) => match error.raw_os_error() {
                Some(libc::EAGAIN | libc::EOPNOTSUPP) => {}
                Some(libc::EINVAL) => return Ok(Writes::Impossible),
                _ => return Err(error),
            },
        }
    }
    Ok(if inline * 2 > TRIES { Writes::Inline } else { Writes::Handed })
}

/// One write, or EAGAIN or EOPNOTSUPP in place of handing it over. The outer error is the ring's, which may still hold
/// the write: then neither `file`, whose end the kernel awaits, nor `bytes` may be used for anything else.
fn try_write(ring: &mut IoUring, file: &File, bytes: &AlignedBuf, at: u64) -> io::Result<io::Result<u32>> {
    let len = u32::try_from(bytes.len()).expect("a block is short");
    let write = opcode::Write::new(types::Fd(file.as_raw_fd()), bytes.as_ptr(), len)
        .offset(at)
        .rw_flags(libc::RWF_NOWAIT)
        .build();
    // SAFETY: descriptor and bytes are borrowed until this function returns. That is not before the completion has arrived,
    // unless the ring is broken; then the caller never frees the bytes, and the kernel has a reference to the file.
    unsafe { ring.submission().push(&write) }.expect("nothing else is in the queue");
    loop {
        match ring.submit_and_wait(1) {
            Ok(_) => {}
            // A signal came, or the kernel has no memory for a moment.
            Err(error) if matches!(error.raw_os_error(), Some(libc::EINTR | libc::EAGAIN | libc::EBUSY)) => {
                std::thread::yield_now();
            }
            Err(error) => return Err(error),
        }
        if let Some(completion) = ring.completion().next() {
            let result = completion.result();
            return Ok(u32::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_probe_leaves_nothing_behind_and_agrees_with_what_is_known() {
        let folder = tempfile::tempdir().unwrap();
        let advice = append_mode(folder.path()).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        println!("{advice}, alignment {:?}", advice.direct_alignment);
        match advice.filesystem.as_str() {
            "ext4" => {
                assert_eq!(advice.buffered, Writes::Handed, "ext4 has no buffered writes that don't wait");
                assert_eq!(advice.direct, Writes::Inline, "no page of it is cached");
                assert_eq!(advice.mode, AppendMode::Direct);
                let said = "on ext4 buffered writes are handed to a worker thread, direct writes finish when submitted";
                assert_eq!(advice.to_string(), said);
            }
            "xfs" | "btrfs" => assert_eq!(advice.mode, AppendMode::Buffered),
            _ => {}
        }
    }

    #[test]
    fn a_filesystem_without_direct_transfers_gets_buffered_appends() {
        assert_eq!(choose(Writes::Handed, Writes::Impossible), AppendMode::Buffered);
        assert_eq!(choose(Writes::Inline, Writes::Inline), AppendMode::Buffered);
        assert_eq!(choose(Writes::Handed, Writes::Inline), AppendMode::Direct);
        assert!(fits(None) && fits(Some((4, 512))) && fits(Some((512, 4096))));
        assert!(!fits(Some((512, 16_384))) && !fits(Some((0, 0))));
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(append_mode(&folder.path().join("missing")).is_err());
    }
}
