//! What is written behind a frame, so that its last page is written whole.

use logtank_engine::limits::DIRECT_BLOCK_BYTES;

/// Zeros up to the end of a page.
///
/// Where a write through the page cache covers only a part of a page that isn't cached, the kernel reads that page from
/// the drive first, and the writer waits for it: with each frame. A page written whole is not read. The next frame
/// overwrites the zeros, in the cache.
///
/// Only for a writer that finishes each write before it begins the next: zeros that came late would erase a frame.
#[derive(Debug)]
pub(super) struct PagePadding {
    zeros: Box<[u8]>,
}

impl PagePadding {
    /// Up to the ends of the pages of the page cache.
    pub(super) fn of_pages() -> Self {
        Self::of(rustix::param::page_size())
    }

    /// None where pages are longer than the blocks of a segment: the zeros behind its seal, which is written last,
    /// would erase the frames behind that.
    fn of(page_bytes: usize) -> Self {
        if page_bytes > DIRECT_BLOCK_BYTES {
            Self::none()
        } else {
            Self { zeros: vec![0; page_bytes].into() }
        }
    }

    /// None ever.
    pub(super) fn none() -> Self {
        Self { zeros: Box::default() }
    }

    /// The zeros that belong at `end` of a write, in a file of this length.
    pub(super) fn behind(&self, end: u64, file_bytes: u64) -> &[u8] {
        if self.zeros.is_empty() {
            return &[];
        }
        let page_end = end.next_multiple_of(self.zeros.len() as u64);
        // A file that ends within the page is not made longer.
        let bytes = page_end.min(file_bytes).saturating_sub(end);
        &self.zeros[..usize::try_from(bytes).expect("less than a page")]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_filled_and_a_file_made_no_longer() {
        let padding = PagePadding::of(4096);
        for (end, file_bytes, bytes) in
            [(4096, 1 << 20, 0), (4097, 1 << 20, 4095), (8000, 8192, 192), (8000, 8100, 100), (8000, 7000, 0)]
        {
            assert_eq!(padding.behind(end, file_bytes).len(), bytes, "{end} of {file_bytes}");
        }
        assert!(PagePadding::none().behind(5, 4096).is_empty());
    }

    #[test]
    fn nothing_is_filled_where_a_page_holds_several_blocks_of_a_segment() {
        let seal_end = 8192;
        assert!(PagePadding::of(65_536).behind(seal_end, 1 << 20).is_empty(), "frames follow the seal");
    }
}
