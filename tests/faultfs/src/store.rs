//! What a drive holds: blocks that copies share until one of them is written.

use std::sync::Arc;

/// What a drive writes whole or not at all.
pub const SECTOR_BYTES: usize = 512;

const BLOCK_BYTES: usize = 4096;

type Block = [u8; BLOCK_BYTES];

/// The content of a drive. A clone costs a pointer a block, not its bytes.
#[derive(Clone, Debug)]
pub struct Store {
    /// Without one: zeros.
    blocks: Vec<Option<Arc<Block>>>,
}

impl Store {
    /// A drive of zeros; its length in bytes is a multiple of 4096.
    ///
    /// # Panics
    /// If it is not.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        assert!(bytes.is_multiple_of(BLOCK_BYTES), "a drive consists of blocks of {BLOCK_BYTES}");
        Self { blocks: vec![None; bytes / BLOCK_BYTES] }
    }

    /// Its length in bytes.
    #[must_use]
    pub const fn len(&self) -> u64 {
        (self.blocks.len() * BLOCK_BYTES) as u64
    }

    /// Whether it has no block.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Reads up to `length` bytes at `offset`; fewer at the end of the drive.
    #[must_use]
    pub fn read(&self, offset: u64, length: usize) -> Vec<u8> {
        let length = length.min(usize::try_from(self.len().saturating_sub(offset)).unwrap_or(usize::MAX));
        let mut out = Vec::with_capacity(length);
        for (block, within, part) in parts(offset, length) {
            match &self.blocks[block] {
                Some(bytes) => out.extend_from_slice(&bytes[within..within + part]),
                None => out.resize(out.len() + part, 0),
            }
        }
        out
    }

    /// Writes `data` at `offset`.
    ///
    /// # Panics
    /// If it goes beyond the end: the kernel knows the drive's length.
    pub fn write(&mut self, offset: u64, data: &[u8]) {
        let mut rest = data;
        for (block, within, part) in parts(offset, data.len()) {
            let (now, later) = rest.split_at(part);
            rest = later;
            let slot = &mut self.blocks[block];
            if let Ok(whole) = <&Block>::try_from(now) {
                *slot = (*whole != [0; BLOCK_BYTES]).then(|| Arc::new(*whole));
            } else {
                let block = slot.get_or_insert_with(|| Arc::new([0; BLOCK_BYTES]));
                Arc::make_mut(block)[within..within + part].copy_from_slice(now);
            }
        }
    }
}

/// Block, offset in it and length of each part of a range of bytes.
fn parts(offset: u64, length: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    let mut at = usize::try_from(offset).expect("a drive fits into memory");
    let end = at + length;
    std::iter::from_fn(move || {
        let (block, within) = (at / BLOCK_BYTES, at % BLOCK_BYTES);
        let part = (BLOCK_BYTES - within).min(end - at);
        at += part;
        (part > 0).then_some((block, within, part))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_across_blocks_are_read_back_and_clones_stay_as_they_were() {
        let mut store = Store::new(4 * BLOCK_BYTES);
        let before = store.clone();
        let data: Vec<u8> = (0..9000u32).map(|byte| byte.to_le_bytes()[0] | 1).collect();
        store.write(100, &data);
        assert_eq!(store.read(100, 9000), data);
        assert_eq!(store.read(0, 100), [0; 100]);
        assert_eq!(before.read(0, 4 * BLOCK_BYTES), [0; 4 * BLOCK_BYTES]);
        assert_eq!(store.read(4 * BLOCK_BYTES as u64 - 5, 100).len(), 5, "not beyond the end");
    }
}
