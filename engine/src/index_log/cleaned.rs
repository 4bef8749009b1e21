//! `indexes/CODE/cleaned`: up to which epoch the superseded segments of an index may have been removed.
//!
//! The cleaner publishes it before it removes anything, so that a recovery under way can tell whether what it
//! would read next is still there. One line of text: the epoch in decimal, a space, and the CRC32C of the digits as
//! eight hexadecimal digits.

use crate::error::Result;
use crate::format::layout::Layout;
use crate::ids::{Epoch, IndexCode};
use crate::io::disk::{Disk, DiskResult, publish_small, read_small};

// Twenty digits, a space, a checksum and a line end fit twice.
const FILE_BYTES_MAX: usize = 64;

fn encode(through: Epoch) -> String {
    let digits = through.to_string();
    format!("{digits} {:08x}\n", crc32c::crc32c(digits.as_bytes()))
}

fn decode(bytes: &[u8]) -> Option<Epoch> {
    let (digits, _) = std::str::from_utf8(bytes).ok()?.split_once(' ')?;
    let through = Epoch::new(digits.parse().ok()?)?;
    // Encoding again checks the checksum, and that there is one spelling of it.
    (encode(through).as_bytes() == bytes).then_some(through)
}

/// Segments that hold anything of this epoch or earlier ones may have been removed, if the newest optimized one
/// covers them; `None` if none were. A damaged file counts as if all were: recoveries under way then start over.
///
/// # Errors
/// The disk's.
pub async fn load<D: Disk>(disk: &D, layout: &Layout, code: &IndexCode) -> Result<Option<Epoch>> {
    match read_small(disk, &layout.cleaned(code), FILE_BYTES_MAX).await {
        Ok(bytes) => Ok(Some(decode(&bytes).unwrap_or(Epoch::MAX))),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) if error.source.kind() == std::io::ErrorKind::InvalidData => Ok(Some(Epoch::MAX)),
        Err(error) => Err(error.into()),
    }
}

/// Announces, durably, that superseded segments that hold nothing after `through` are about to be removed.
///
/// # Errors
/// The disk's; nothing may be removed then.
pub async fn publish<D: Disk>(disk: &D, layout: &Layout, code: &IndexCode, through: Epoch) -> DiskResult<()> {
    publish_small(disk, &layout.cleaned(code), encode(through).as_bytes()).await
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::testing::{MemDisk, run};

    #[test]
    fn what_is_published_is_loaded_and_damage_counts_as_everything() {
        let (disk, layout) = (MemDisk::new(), Layout::new(Path::new("/data"), None));
        let code = IndexCode::new(b"m").unwrap();
        let load = || run(load(&disk, &layout, &code)).unwrap();
        assert_eq!(load(), None);
        disk.put(layout.last_read(&code), b"");
        let epoch = Epoch::new(1_795_343_512_642).unwrap();
        run(publish(&disk, &layout, &code, epoch)).unwrap();
        assert_eq!(load(), Some(epoch));
        let good = disk.get(layout.cleaned(&code)).unwrap();
        for bit in 0..good.len() * 8 {
            let mut damaged = good.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            disk.put(layout.cleaned(&code), &damaged);
            assert_eq!(load(), Some(Epoch::MAX), "bit {bit}");
        }
        disk.put(layout.cleaned(&code), &[b'1'; 100]);
        assert_eq!(load(), Some(Epoch::MAX));
    }
}
