//! A deletion's file, `deletions/CODE`: one line of text,
//!
//! ```text
//! EPOCH ORDINAL CRC
//! ```
//!
//! EPOCH and ORDINAL in decimal: the first position that the deletion does not cover. CRC is the CRC32C of
//! `CODE EPOCH ORDINAL` as eight lower-case hexadecimal digits: with the code in it, so that a file under
//! another index's name is not believed.

use std::path::Path;

use crate::error::{Corruption, Result};
use crate::ids::{Epoch, IndexCode, Position};
use crate::io::disk::{Disk, DiskResult};
use crate::limits::ORDINAL_BITS;
use crate::store::{Small, Store};

// Two decimal numbers, a checksum, two spaces and a line end fit twice.
const FILE_BYTES_MAX: usize = 64;

pub(crate) fn encode(code: &IndexCode, before: Position) -> String {
    let numbers = format!("{} {}", before.epoch(), before.ordinal());
    let crc = crc32c::crc32c(format!("{code} {numbers}").as_bytes());
    format!("{numbers} {crc:08x}\n")
}

pub(super) fn decode(code: &IndexCode, bytes: &[u8]) -> Option<Position> {
    let mut words = std::str::from_utf8(bytes).ok()?.split([' ', '\n']);
    let epoch = Epoch::new(words.next()?.parse().ok()?)?;
    let ordinal = words.next()?.parse().ok().filter(|&ordinal: &u32| ordinal < 1 << ORDINAL_BITS)?;
    let position = Position::new(epoch, ordinal);
    // Encoding again checks the checksum, and that there is one spelling of it.
    (encode(code, position).as_bytes() == bytes).then_some(position)
}

/// Reads the file of one index: its records before the position returned are gone. `None` if the index is
/// not deleted.
///
/// # Errors
/// The disk's, or the corruption of the file: then nothing is known of what of this index is gone.
pub async fn load_one<D: Disk>(store: &Store<D>, code: &IndexCode) -> Result<Option<Position>> {
    let path = store.layout().deletion(code);
    let Some(bytes) = read(store, &path).await? else { return Ok(None) };
    match decode(code, &bytes) {
        Some(position) => Ok(Some(position)),
        None => Err(corrupt(&path).into()),
    }
}

/// The bytes of a deletion's file, if it is there; of one that is longer than any can be, nothing.
pub(super) async fn read<D: Disk>(store: &Store<D>, path: &Path) -> DiskResult<Option<Vec<u8>>> {
    Ok(match store.read_small(path, FILE_BYTES_MAX).await? {
        Small::Missing => None,
        found @ (Small::TooLong | Small::Whole(_)) => Some(found.or_empty()),
    })
}

fn corrupt(path: &Path) -> Corruption {
    let what = "no deletion with a valid checksum; delete the index again, or remove this file to keep it";
    Corruption { path: path.to_owned(), offset: 0, what: what.to_owned() }
}

/// Makes it durable that the records of `code` before `before` are gone; replaces an earlier deletion.
///
/// # Errors
/// The disk's; the deletion may then hold or not.
pub async fn publish<D: Disk>(store: &Store<D>, code: &IndexCode, before: Position) -> DiskResult<()> {
    store.create_folder(&store.layout().deletions()).await?;
    store.publish(&store.layout().deletion(code), encode(code, before).as_bytes()).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::format::layout::Layout;
    use crate::testing::store;
    use crate::testing::{MemDisk, run};

    fn code(text: &str) -> IndexCode {
        IndexCode::new(text.as_bytes()).unwrap()
    }

    fn position() -> Position {
        Position::new(Epoch::new(1_795_343_512_642).unwrap(), 17)
    }

    #[test]
    fn what_is_published_is_loaded_and_a_later_one_replaces_it() {
        let (disk, layout) = (MemDisk::new(), Layout::new(Path::new("/data"), None));
        disk.put("/data/x", b"");
        assert_eq!(run(load_one(&store(&disk, &layout), &code("a"))).unwrap(), None);
        run(publish(&store(&disk, &layout), &code("a"), position())).unwrap();
        assert_eq!(run(load_one(&store(&disk, &layout), &code("a"))).unwrap(), Some(position()));
        run(publish(&store(&disk, &layout), &code("a"), position().advanced(1))).unwrap();
        assert_eq!(run(load_one(&store(&disk, &layout), &code("a"))).unwrap(), Some(position().advanced(1)));
    }

    #[test]
    fn the_bytes_are_those_of_the_table() {
        assert_eq!(encode(&code("a"), position()), "1795343512642 17 0684f12c\n");
    }

    #[test]
    fn every_flipped_bit_every_cut_and_another_name_are_found() {
        let good = encode(&code("a"), position()).into_bytes();
        assert_eq!(decode(&code("a"), &good), Some(position()));
        assert_eq!(decode(&code("b"), &good), None);
        for bit in 0..good.len() * 8 {
            let mut damaged = good.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(&code("a"), &damaged), None, "bit {bit}");
        }
        for len in 0..good.len() {
            assert_eq!(decode(&code("a"), &good[..len]), None, "{len} bytes");
        }
    }

    #[test]
    fn a_damaged_file_names_itself() {
        let (disk, layout) = (MemDisk::new(), Layout::new(Path::new("/data"), None));
        for bytes in [&b"1 2 3\n"[..], &[b'9'; 4_000]] {
            disk.put("/data/deletions/a", bytes);
            let error = run(load_one(&store(&disk, &layout), &code("a"))).unwrap_err();
            assert!(
                matches!(&error, Error::Corrupt(found) if found.path == Path::new("/data/deletions/a")),
                "{error}"
            );
        }
    }
}
