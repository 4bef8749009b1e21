use super::cell::CodeHash;
use super::entry::{ENTRY_BYTES_MAX, Entry};
use super::fence::Fence;
use super::name::PackName;
use super::place::Place;
use super::{PackError, bound_checksum, u32_at, u64_at};

/// Longest directory block, in bytes: it is closed before an entry that would make it longer.
pub const DIRECTORY_BYTES_MAX: usize = 16 * 1024;

const HEAD_BYTES: usize = 24;
const TAG: [u8; 4] = [b'D', 0, 0, 0];
const CHECKSUM: usize = 20;

/// Collects the entries of the directory block that comes next.
#[derive(Debug, Default)]
pub(crate) struct DirectoryBuilder {
    first_label: u64,
    entries: Vec<u8>,
    count: u32,
    longest_bytes: u64,
    first_code: Vec<u8>,
}

impl DirectoryBuilder {
    /// Whether an entry of this length still has room in the block.
    #[must_use]
    pub(crate) const fn has_room(&self, entry_bytes: usize) -> bool {
        HEAD_BYTES + self.entries.len() + entry_bytes <= DIRECTORY_BYTES_MAX
    }

    /// Whether it has no entry.
    #[must_use]
    pub(crate) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Adds the entry of the slice whose label stands at byte `label`.
    ///
    /// # Panics
    /// If there is no room for it.
    pub(crate) fn push(&mut self, label: u64, entry: &Entry<'_>) {
        if self.is_empty() {
            self.first_label = label;
            self.first_code = entry.code.to_vec();
        }
        entry.encode(&mut self.entries);
        assert!(self.has_room(0), "asked before");
        self.count += 1;
        self.longest_bytes = self.longest_bytes.max(entry.bytes);
    }

    /// The block, to stand at byte `offset`. The next one begins without an entry.
    ///
    /// # Panics
    /// If it has no entry.
    pub(crate) fn finish(&mut self, offset: u64) -> Vec<u8> {
        assert!(!self.is_empty(), "a block lists at least one slice");
        let length = HEAD_BYTES + self.entries.len();
        let mut block = Vec::with_capacity(length);
        block.extend_from_slice(&TAG);
        block.extend_from_slice(&u32::try_from(length).expect("at most 16 KiB").to_le_bytes());
        block.extend_from_slice(&self.first_label.to_le_bytes());
        block.extend_from_slice(&self.count.to_le_bytes());
        let checksum = bound_checksum(offset, &[&block, &self.entries]);
        block.extend_from_slice(&checksum.to_le_bytes());
        block.extend_from_slice(&self.entries);
        self.entries.clear();
        (self.count, self.longest_bytes) = (0, 0);
        block
    }

    /// The fence of the block that the next [`Self::finish`] gives for this offset.
    ///
    /// # Panics
    /// If it has no entry.
    #[must_use]
    pub(crate) fn fence(&self, offset: u64) -> Fence<'_> {
        assert!(!self.is_empty(), "a block lists at least one slice");
        let length = u32::try_from(HEAD_BYTES + self.entries.len()).expect("at most 16 KiB");
        Fence::new(offset, length, self.longest_bytes, &self.first_code)
    }
}

/// A directory block: what it says of its slices, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Directory<'a> {
    first_label: u64,
    entries: &'a [u8],
}

/// What a directory block says of one slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listed<'a> {
    /// The entry, as in the slice's label.
    pub entry: Entry<'a>,
    /// Where the slice is.
    pub place: Place,
}

/// How far a walk over the slices of a directory block has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ListPlace {
    entry: usize,
    label: u64,
}

impl<'a> Directory<'a> {
    /// Reads the whole block of the pack of this name that is `bytes` and stands at byte `offset`: its entries belong into
    /// the pack, are in order, and their slices fill the file from the first label to the block.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn decode(bytes: &'a [u8], offset: u64, pack: &PackName) -> Result<Self, PackError> {
        let fail = |what| PackError::at(offset, what);
        if bytes.get(..4) != Some(&TAG) {
            return Err(fail("no directory block begins here"));
        }
        if !(HEAD_BYTES..=DIRECTORY_BYTES_MAX).contains(&bytes.len()) {
            return Err(fail("the directory block's length is out of range"));
        }
        let (head, entries) = bytes.split_at(HEAD_BYTES);
        if bound_checksum(offset, &[&head[..CHECKSUM], entries]) != u32_at(head, CHECKSUM) {
            return Err(fail("the directory block's checksum does not match"));
        }
        if u32_at(head, 4) as usize != bytes.len() {
            return Err(fail("the directory block has another length than it says"));
        }
        let directory = Self { first_label: u64_at(head, 8), entries };
        let mut before: Option<(CodeHash, &[u8])> = None;
        let (mut rest, mut label, mut count) = (entries, directory.first_label, 0);
        while !rest.is_empty() {
            let (entry, length) = Entry::decode(rest).map_err(fail)?;
            entry.check(pack).map_err(fail)?;
            let key = (entry.hash(), entry.code);
            if before.is_some_and(|before| before >= key) {
                return Err(fail("the directory block is out of order"));
            }
            let place = Place::of(label, length, entry.bytes).ok_or(fail("a slice is too long"))?;
            (before, rest, label) = (Some(key), &rest[length..], place.end());
            count += 1;
        }
        if count == 0 || count != u32_at(head, 16) {
            return Err(fail("the directory block has another number of entries than it says"));
        }
        if label != offset {
            return Err(fail("the directory block's slices do not end where it begins"));
        }
        Ok(directory)
    }

    /// Length of the block whose first bytes these are, if one begins here. Not verified yet.
    #[must_use]
    pub(crate) fn length(bytes: &[u8]) -> Option<usize> {
        let length = u32_at(bytes.get(..8)?, 4) as usize;
        (bytes[..4] == TAG && (HEAD_BYTES..=DIRECTORY_BYTES_MAX).contains(&length)).then_some(length)
    }

    /// Offset of the first label that it lists.
    #[must_use]
    pub(crate) const fn first_label(&self) -> u64 {
        self.first_label
    }

    /// The block that these bytes are, which [`Self::decode`] read before.
    #[must_use]
    pub(crate) fn decoded_before(block: &'a [u8]) -> Self {
        Self { first_label: u64_at(block, 8), entries: &block[HEAD_BYTES..] }
    }

    /// Where [`Self::next`] begins.
    #[must_use]
    pub(crate) const fn begin(&self) -> ListPlace {
        ListPlace { entry: 0, label: self.first_label }
    }

    /// The slice at `place`, which moves on to the one after it; `None` at the end.
    pub(crate) fn next(&self, place: &mut ListPlace) -> Option<Listed<'a>> {
        let rest = &self.entries[place.entry..];
        if rest.is_empty() {
            return None;
        }
        let (entry, length) = Entry::decode(rest).expect("decoded before");
        let slice = Place::of(place.label, length, entry.bytes).expect("placed before");
        *place = ListPlace { entry: place.entry + length, label: slice.end() };
        Some(Listed { entry, place: slice })
    }

    /// Its slices, in order.
    pub(crate) fn slices(self) -> impl Iterator<Item = Listed<'a>> + use<'a> {
        let mut place = self.begin();
        std::iter::from_fn(move || self.next(&mut place))
    }

    /// Its fence, where it stands at byte `offset`.
    ///
    /// # Panics
    /// If it has no entry.
    #[must_use]
    pub(crate) fn fence(&self, offset: u64) -> Fence<'a> {
        let first = self.slices().next().expect("a block lists at least one slice").entry;
        let longest = self.slices().map(|listed| listed.entry.bytes).max().unwrap_or(0);
        let length = u32::try_from(HEAD_BYTES + self.entries.len()).expect("at most 16 KiB");
        Fence::new(offset, length, longest, first.code)
    }
}

const _: () = assert!(HEAD_BYTES + ENTRY_BYTES_MAX <= DIRECTORY_BYTES_MAX, "each entry fits into a block");
