use super::cell::{Cell, CodeHash};
use super::directory::DIRECTORY_BYTES_MAX;
use super::foot::Foot;
use super::head::HEAD_BYTES;
use super::name::PackName;
use super::{PackError, bound_checksum, u32_at, u64_at};
use crate::ids::IndexCode;

const FIXED_BYTES: usize = 20;
const KIB: u64 = 1024;

/// What the fences say of one directory block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fence<'a> {
    offset: u64,
    length: u32,
    longest_kib: u32,
    hash: CodeHash,
    code: &'a [u8],
}

impl<'a> Fence<'a> {
    pub(super) fn new(offset: u64, length: u32, longest_bytes: u64, code: &'a [u8]) -> Self {
        let longest_kib = u32::try_from(longest_bytes.div_ceil(KIB)).unwrap_or(u32::MAX);
        Self { offset, length, longest_kib, hash: CodeHash::of(code), code }
    }

    /// Offset of the block.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// Length of the block, in bytes.
    #[must_use]
    pub const fn length(&self) -> usize {
        self.length as usize
    }

    /// The position after the block: the next group of slices begins there, or the fences.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.offset + self.length as u64
    }

    /// No slice that the block lists is longer, in bytes.
    #[must_use]
    pub const fn longest_bytes(&self) -> u64 {
        self.longest_kib as u64 * KIB
    }

    /// The first code that the block lists, after its hash.
    #[must_use]
    pub const fn key(&self) -> (CodeHash, &'a [u8]) {
        (self.hash, self.code)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.offset.to_le_bytes());
        out.extend_from_slice(&self.length.to_le_bytes());
        out.extend_from_slice(&self.longest_kib.to_le_bytes());
        out.extend_from_slice(&self.hash.value().to_le_bytes());
        out.push(u8::try_from(self.code.len()).expect("at most 128 bytes"));
        out.extend_from_slice(self.code);
    }

    // The fence at the beginning of `bytes`, and its length there.
    fn decode(bytes: &'a [u8]) -> Option<(Self, usize)> {
        let (fixed, rest) = bytes.split_at_checked(FIXED_BYTES)?;
        let (&length, rest) = rest.split_first()?;
        let code = rest.get(..usize::from(length)).filter(|code| IndexCode::is_valid(code))?;
        let hash = CodeHash::new(u32_at(fixed, 16));
        let (length, longest_kib) = (u32_at(fixed, 8), u32_at(fixed, 12));
        let fence = Self { offset: u64_at(fixed, 0), length, longest_kib, hash, code };
        Some((fence, FIXED_BYTES + 1 + code.len()))
    }
}

/// Collects the fences as directory blocks are written.
#[derive(Debug, Default)]
pub(crate) struct FencesBuilder {
    bytes: Vec<u8>,
    blocks: u32,
}

impl FencesBuilder {
    /// Adds the fence of the block that comes next.
    pub(crate) fn push(&mut self, fence: &Fence<'_>) {
        fence.encode(&mut self.bytes);
        self.blocks += 1;
    }

    /// Bytes so far.
    #[must_use]
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Their bytes, to stand at `offset`, their checksum there, and the number of directory blocks.
    #[must_use]
    pub(crate) fn finish(self, offset: u64) -> (Vec<u8>, u32, u32) {
        let checksum = bound_checksum(offset, &[&self.bytes]);
        (self.bytes, checksum, self.blocks)
    }
}

/// The fences of a pack: where its directory blocks are, and with which index each begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fences {
    bytes: Vec<u8>,
    // Where in `bytes` each begins.
    begins: Vec<u32>,
}

impl Fences {
    /// Reads the fences of the pack of this name, which has this foot: they are in order, and blocks and slices can fill the
    /// file from the head to them.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn decode(bytes: Vec<u8>, foot: &Foot, pack: &PackName) -> Result<Self, PackError> {
        let fail = |at: usize, what| Err(PackError::at(foot.fences().start + at as u64, what));
        if bytes.len() as u64 != foot.fences().end - foot.fences().start {
            return fail(bytes.len(), "the fences are cut off");
        }
        if bound_checksum(foot.fences().start, &[&bytes]) != foot.fences_checksum() {
            return fail(0, "the checksum of the fences does not match");
        }
        let mut begins = Vec::with_capacity(foot.blocks() as usize);
        let (mut at, mut end) = (0, HEAD_BYTES as u64);
        let mut before: Option<(CodeHash, &[u8])> = None;
        while at < bytes.len() {
            let Some((fence, length)) = Fence::decode(&bytes[at..]) else {
                return fail(at, "a fence is cut off, or its code can't name an index");
            };
            if CodeHash::of(fence.code) != fence.hash || !pack.cell().holds(fence.hash) {
                return fail(at, "a fence's hash is not that of its code, or not of the pack's cell");
            }
            if before.is_some_and(|before| before >= fence.key()) {
                return fail(at, "the fences are out of order");
            }
            // At least one label lies between two blocks.
            if fence.offset <= end
                || fence.offset >= foot.fences().start
                || fence.length() > DIRECTORY_BYTES_MAX
            {
                return fail(at, "a fence's block is out of range");
            }
            begins.push(u32::try_from(at).expect("the foot counts bytes of the fences in 32 bits"));
            (before, end) = (Some(fence.key()), fence.end());
            at += length;
        }
        if begins.len() != foot.blocks() as usize || end != foot.fences().start {
            return fail(0, "the fences contradict the foot");
        }
        Ok(Self { bytes, begins })
    }

    /// How many directory blocks there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.begins.len()
    }

    /// Whether there is none: the pack holds no slice.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.begins.is_empty()
    }

    /// That of directory block number `block`, from 0.
    ///
    /// # Panics
    /// If there are not so many.
    #[must_use]
    pub fn get(&self, block: usize) -> Fence<'_> {
        Fence::decode(&self.bytes[self.begins[block] as usize..]).expect("decoded before").0
    }

    /// Where the slices that directory block number `block` lists begin: after the block before it.
    ///
    /// # Panics
    /// As [`Self::get`].
    #[must_use]
    pub fn begin(&self, block: usize) -> u64 {
        block.checked_sub(1).map_or(HEAD_BYTES as u64, |before| self.get(before).end())
    }

    /// Number of the directory block that lists this code, if any does.
    #[must_use]
    pub fn find(&self, code: &[u8]) -> Option<usize> {
        let key = (CodeHash::of(code), code);
        let at = |begin: u32| Fence::decode(&self.bytes[begin as usize..]).expect("decoded before").0.key();
        self.begins.partition_point(|&begin| at(begin) <= key).checked_sub(1)
    }

    /// Number of the first directory block that may list a code of `cell`; if none can, of any block or one past the last.
    #[must_use]
    pub fn first_of(&self, cell: Cell) -> usize {
        let hash = |begin: u32| Fence::decode(&self.bytes[begin as usize..]).expect("decoded before").0.hash;
        self.begins.partition_point(|&begin| hash(begin) < cell.first()).saturating_sub(1)
    }

    /// Bytes of memory that they take, about.
    #[must_use]
    pub const fn memory_bytes(&self) -> usize {
        self.bytes.capacity() + self.begins.capacity() * size_of::<u32>()
    }
}
