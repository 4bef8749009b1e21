//! A file's bytes: what the page cache shows, and what the drive has.

use std::rc::Rc;

use super::cut::Cut;
use crate::testing::Choices;
use crate::time::WallMillis;

/// What a drive writes whole, here: short, so that small files are torn, too.
const BLOCK_BYTES: usize = 64;

#[derive(Clone, Debug, Default)]
pub(super) struct Data {
    // Shared while they are the same.
    cache: Rc<Vec<u8>>,
    drive: Rc<Vec<u8>>,
    // A sync failed: the cache counts as clean, though the drive has not got it.
    forgotten: bool,
    // Written to the cache since then, so that the next sync writes it.
    dirty: Vec<(usize, Vec<u8>)>,
    // What is written through the cache now never gets to the drive.
    stuck: bool,
    pub(super) modified: WallMillis,
}

fn overwrite(bytes: &mut Vec<u8>, begin: usize, new: &[u8]) {
    let end = begin + new.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[begin..end].copy_from_slice(new);
}

impl Data {
    pub(super) fn durable(bytes: &[u8], modified: WallMillis) -> Self {
        let bytes = Rc::new(bytes.to_vec());
        Self { cache: bytes.clone(), drive: bytes, modified, ..Self::default() }
    }

    pub(super) fn cached(&self) -> &[u8] {
        &self.cache
    }

    pub(super) fn read(&mut self, direct: bool) -> &[u8] {
        if !(direct && self.forgotten) {
            return &self.cache;
        }
        // Dirty pages are written out before the drive is read.
        self.write_out();
        &self.drive
    }

    pub(super) fn write(&mut self, begin: usize, bytes: &[u8], direct: bool) {
        if direct && self.forgotten {
            self.write_out();
            self.drop_cache();
        }
        if self.forgotten {
            self.dirty.push((begin, bytes.to_vec()));
        }
        overwrite(Rc::make_mut(&mut self.cache), begin, bytes);
    }

    pub(super) fn set_len(&mut self, len: usize) {
        Rc::make_mut(&mut self.cache).resize(len, 0);
    }

    pub(super) fn sync(&mut self) {
        // What a failed sync gave up is not written by a later one.
        if self.forgotten {
            self.write_out();
        } else {
            self.drive = self.cache.clone();
        }
    }

    pub(super) fn fail_sync(&mut self) {
        self.forgotten |= self.cache != self.drive;
        self.dirty.clear();
    }

    pub(super) fn forget(&mut self, bytes: &[u8]) {
        self.cache = Rc::new(bytes.to_vec());
        self.forgotten = true;
    }

    pub(super) const fn stick(&mut self) {
        self.stuck = true;
    }

    pub(super) fn restart(&mut self, cut: Cut, choices: &mut Choices) {
        match cut {
            Cut::Kill => return,
            Cut::PowerKeepingBytes if !self.forgotten => {}
            Cut::PowerKeepingSome(_) if !self.forgotten => self.tear(choices),
            Cut::Power | Cut::PowerKeepingNames | Cut::PowerKeepingBytes | Cut::PowerKeepingSome(_) => {
                self.drop_cache();
            }
        }
        // What is read after a power cut came from the drive.
        self.drive = self.cache.clone();
    }

    fn tear(&mut self, choices: &mut Choices) {
        if self.cache == self.drive {
            return;
        }
        let mut found = if choices.below(2) == 0 { self.cache.to_vec() } else { self.drive.to_vec() };
        for (number, block) in found.chunks_mut(BLOCK_BYTES).enumerate() {
            let old = self.drive.get(number * BLOCK_BYTES..).unwrap_or_default();
            match choices.below(3) {
                0 => block.fill(0),
                1 => block.iter_mut().zip(old).for_each(|(new, old)| *new = *old),
                _ => {}
            }
        }
        self.cache = Rc::new(found);
    }

    fn drop_cache(&mut self) {
        self.cache = self.drive.clone();
        (self.forgotten, self.stuck) = (false, false);
        self.dirty.clear();
    }

    fn write_out(&mut self) {
        let dirty = std::mem::take(&mut self.dirty);
        for (begin, bytes) in dirty.into_iter().filter(|_| !self.stuck) {
            overwrite(Rc::make_mut(&mut self.drive), begin, &bytes);
        }
    }
}
