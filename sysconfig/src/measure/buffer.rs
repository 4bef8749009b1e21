/// What direct transfers must be multiples of, in memory and in a file, on every drive that is sold.
pub(super) const BLOCK: usize = 4096;

/// Bytes at an address that direct transfers take.
pub(super) struct Aligned {
    bytes: Vec<u8>,
    start: usize,
    len: usize,
}

impl Aligned {
    /// `len` bytes that don't compress well: some drives and hosts treat zeros as nothing.
    pub(super) fn new(len: usize) -> Self {
        let mut bytes = vec![0; len + BLOCK];
        fastrand::Rng::with_seed(1).fill(&mut bytes);
        let start = bytes.as_ptr().align_offset(BLOCK);
        assert!(start < BLOCK, "an address is at most a block away from a multiple of one");
        Self { bytes, start, len }
    }

    pub(super) fn first(&self, len: usize) -> &[u8] {
        assert!(len <= self.len, "{len} of {} bytes", self.len);
        &self.bytes[self.start..self.start + len]
    }
}
