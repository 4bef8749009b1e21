//! Of which indexes the records of a frame may be: a filter that never denies one that is there.
//!
//! A Bloom filter of 96 bits, three of them for each index. Of an index that is not in the frame it says wrongly that it may be
//! for one frame in 600 where the frame holds four others, one in 17 where it holds sixteen.

const BITS: u64 = 96;
const BITS_EACH: u32 = 3;

/// Which indexes a frame may hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameIndexes(u128);

impl FrameIndexes {
    /// None: what holds nothing.
    pub const NONE: Self = Self(0);
    /// Any: nothing is known.
    pub const ALL: Self = Self((1 << BITS) - 1);

    /// The frame holds a record of this index.
    pub fn add(&mut self, code: &[u8]) {
        self.0 |= bits(code);
    }

    /// The frame holds what another one does, too.
    pub const fn add_all(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// Whether it may hold a record of this index. If not, it holds none.
    #[must_use]
    pub fn may_hold(&self, code: &[u8]) -> bool {
        let bits = bits(code);
        self.0 & bits == bits
    }

    /// As a frame's header has it.
    #[must_use]
    pub fn encode(&self) -> [u8; 12] {
        let mut bytes = [0; 12];
        bytes.copy_from_slice(&self.0.to_le_bytes()[..12]);
        bytes
    }

    /// From a frame's header.
    #[must_use]
    pub fn decode(bytes: [u8; 12]) -> Self {
        let mut whole = [0; 16];
        whole[..12].copy_from_slice(&bytes);
        Self(u128::from_le_bytes(whole))
    }
}

/// The bits of an index. They stand in files: never to be changed without a new version.
fn bits(code: &[u8]) -> u128 {
    let mixed = u64::from(crc32c::crc32c(code)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let place = |n| (((mixed >> (21 * n)) & 0x1f_ffff) * BITS) >> 21;
    (0..BITS_EACH).fold(0, |bits, n| bits | (1_u128 << place(n)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_bits_of_an_index_stand_in_files_and_never_change() {
        let encoded = |code: &[u8]| {
            let mut indexes = FrameIndexes::NONE;
            indexes.add(code);
            indexes.encode()
        };
        assert_eq!(encoded(b"main"), [0, 128, 0, 0, 0, 0, 0, 0, 0, 0, 0, 36]);
        assert_eq!(encoded(b""), [0b1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn few_indexes_are_taken_for_others() {
        let mut wrong = 0;
        for frame in 0..1_000 {
            let mut indexes = FrameIndexes::NONE;
            (0..4).for_each(|n| indexes.add(format!("index-{frame}-{n}").as_bytes()));
            wrong += u32::from(indexes.may_hold(b"another"));
        }
        assert!(wrong < 10, "{wrong} of 1,000");
    }

    proptest! {
        #[test]
        fn what_was_added_is_never_denied(codes in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..30)) {
            let mut indexes = FrameIndexes::NONE;
            codes.iter().for_each(|code| indexes.add(code));
            let read = FrameIndexes::decode(indexes.encode());
            prop_assert_eq!(read, indexes);
            prop_assert!(codes.iter().all(|code| read.may_hold(code) && FrameIndexes::ALL.may_hold(code)));
            prop_assert!(!FrameIndexes::NONE.may_hold(b"a"));
        }
    }
}
