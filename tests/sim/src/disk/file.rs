use super::crash::CutPolicy;
use crate::random::Random;

/// What a drive writes at once: a power cut tears writes there.
const SECTOR_BYTES: usize = 512;

/// A file's bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct FileData {
    /// What the page cache shows.
    cache: Vec<u8>,
    /// What the drive shows, where that is something else: after a failed fdatasync.
    drive: Option<Vec<u8>>,
    /// What survives a power cut for certain.
    durable: Vec<u8>,
    /// On the way to the drive, in order.
    pending: Vec<Change>,
    /// Wall clock of the last change, in milliseconds.
    pub(super) modified: u64,
}

#[derive(Clone, Debug)]
struct Change {
    number: u64,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    Write { offset: usize, bytes: Vec<u8> },
    Len(usize),
}

impl What {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Self::Write { offset, bytes } => {
                let end = offset + bytes.len();
                if to.len() < end {
                    to.resize(end, 0);
                }
                to[*offset..end].copy_from_slice(bytes);
            }
            Self::Len(len) => to.resize(*len, 0),
        }
    }

    fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Write { offset: a, bytes: x }, Self::Write { offset: b, bytes: y }) => {
                *a < b + y.len() && *b < a + x.len()
            }
            // A length changes what lies behind it.
            (Self::Len(_), _) | (_, Self::Len(_)) => true,
        }
    }

    /// Sector by sector, each or not.
    fn apply_torn(&self, to: &mut Vec<u8>, random: &Random) {
        let Self::Write { offset, bytes } = self else { return self.apply(to) };
        let mut at = 0;
        while at < bytes.len() {
            let end = bytes.len().min(((offset + at) / SECTOR_BYTES + 1) * SECTOR_BYTES - offset);
            if random.percent(50) {
                Self::Write { offset: offset + at, bytes: bytes[at..end].to_vec() }.apply(to);
            }
            at = end;
        }
    }
}

impl FileData {
    /// A file of its own with what the page cache shows, on the drive.
    pub(super) fn copy(&self) -> Self {
        Self {
            cache: self.cache.clone(),
            durable: self.cache.clone(),
            modified: self.modified,
            ..Self::default()
        }
    }

    /// What a read gets, past the page cache or from it.
    pub(super) fn shown(&self, direct: bool) -> &[u8] {
        match &self.drive {
            Some(drive) if direct => drive,
            _ => &self.cache,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.cache.len()
    }

    pub(super) fn write(&mut self, number: u64, offset: usize, bytes: &[u8]) {
        self.change(number, What::Write { offset, bytes: bytes.to_vec() });
    }

    pub(super) fn set_len(&mut self, number: u64, len: usize) {
        self.change(number, What::Len(len));
    }

    fn change(&mut self, number: u64, what: What) {
        what.apply(&mut self.cache);
        if let Some(drive) = &mut self.drive {
            what.apply(drive);
        }
        self.pending.push(Change { number, what });
    }

    /// All changes up to this number become durable.
    pub(super) fn sync(&mut self, up_to: u64) {
        let covered = self.pending.partition_point(|change| change.number <= up_to);
        for change in self.pending.drain(..covered) {
            change.what.apply(&mut self.durable);
        }
    }

    /// One write becomes durable, and nothing else but what it lies over.
    pub(super) fn sync_one(&mut self, number: u64) {
        let Some(one) = self.pending.iter().position(|change| change.number == number) else { return };
        let one = self.pending.remove(one);
        let (older, newer) =
            std::mem::take(&mut self.pending).into_iter().partition(|change| change.number < number);
        let (under, beside): (Vec<Change>, Vec<Change>) = {
            let older: Vec<Change> = older;
            older.into_iter().partition(|change| change.what.overlaps(&one.what))
        };
        under.iter().chain([&one]).for_each(|change| change.what.apply(&mut self.durable));
        self.pending = beside;
        self.pending.extend::<Vec<Change>>(newer);
    }

    /// The drive refuses: some part of the changes up to this number is durable, of the rest nobody knows any more,
    /// though the cache shows it.
    pub(super) fn fail_sync(&mut self, up_to: u64, random: &Random) {
        let covered = self.pending.partition_point(|change| change.number <= up_to);
        for change in self.pending.drain(..covered) {
            change.what.apply_torn(&mut self.durable, random);
        }
        // A length is metadata and not lost.
        let mut drive = self.durable.clone();
        drive.resize(self.cache.len(), 0);
        self.pending.iter().for_each(|change| change.what.apply(&mut drive));
        self.durable.resize(self.durable.len().max(self.cache.len()), 0);
        self.drive = (drive != self.cache).then_some(drive);
    }

    /// The cache lets go of what it counts as clean.
    pub(super) fn evict(&mut self) {
        if let Some(drive) = self.drive.take() {
            self.cache = drive;
        }
    }

    /// What a power cut leaves.
    pub(super) fn cut_power(&mut self, policy: CutPolicy, random: &Random) {
        let len = self.cache.len();
        let mut left = std::mem::take(&mut self.durable);
        let pending = std::mem::take(&mut self.pending);
        let prefix = random.place(pending.len() + 1);
        for (place, change) in pending.iter().enumerate() {
            match policy {
                CutPolicy::DropAll => {}
                CutPolicy::KeepAll => change.what.apply(&mut left),
                CutPolicy::Prefix if place < prefix => change.what.apply(&mut left),
                CutPolicy::Prefix => {}
                CutPolicy::Subset if random.percent(50) => change.what.apply(&mut left),
                CutPolicy::Subset => {}
                CutPolicy::Torn => change.what.apply_torn(&mut left, random),
            }
        }
        // The length may have reached the drive without the bytes.
        if left.len() < len && random.percent(50) {
            left.resize(len, 0);
        }
        *self = Self { cache: left.clone(), drive: None, durable: left, pending: Vec::new(), ..*self };
    }

    /// Rot: one bit is not what was written.
    pub(super) fn flip(&mut self, byte: usize, bit: u32) {
        for bytes in
            [Some(&mut self.cache), self.drive.as_mut(), Some(&mut self.durable)].into_iter().flatten()
        {
            if let Some(byte) = bytes.get_mut(byte) {
                *byte ^= 1 << bit;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random() -> Random {
        Random::new(1, "test")
    }

    #[test]
    fn only_what_was_synced_survives_the_worst_cut() {
        let mut file = FileData::default();
        file.write(1, 0, b"one");
        file.write(2, 3, b"two");
        file.sync(1);
        file.cut_power(CutPolicy::DropAll, &random());
        assert!(file.shown(false) == b"one" || file.shown(false) == b"one\0\0\0");
    }

    #[test]
    fn a_second_sync_says_nothing_of_what_the_first_lost() {
        let (mut file, random) = (FileData::default(), random());
        file.write(1, 0, &[7; 64 * SECTOR_BYTES]);
        file.fail_sync(1, &random);
        file.sync(1);
        assert_eq!(file.shown(false), [7; 64 * SECTOR_BYTES], "the cache shows it");
        assert_ne!(file.shown(true), [7; 64 * SECTOR_BYTES], "the drive has not got it");
        file.cut_power(CutPolicy::KeepAll, &random);
        assert_ne!(file.shown(false), [7; 64 * SECTOR_BYTES]);
    }

    #[test]
    fn writes_are_torn_at_sectors() {
        let mut file = FileData::default();
        file.write(1, 100, &[1; 4 * SECTOR_BYTES]);
        file.cut_power(CutPolicy::Torn, &random());
        let bytes = file.shown(false);
        for sector in bytes.chunks(SECTOR_BYTES) {
            let changes = sector.windows(2).filter(|pair| pair[0] != pair[1]).count();
            assert!(changes <= 2, "a sector is there or not");
        }
    }
}
