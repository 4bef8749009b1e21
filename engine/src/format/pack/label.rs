use super::entry::{ENTRY_BYTES_MAX, Entry};
use super::place::Place;
use super::{PackError, bound_checksum, u32_at};

/// Bytes of a label before its entry.
pub(super) const LABEL_HEAD_BYTES: usize = 7;
/// Longest label, in bytes.
pub(crate) const LABEL_BYTES_MAX: usize = LABEL_HEAD_BYTES + ENTRY_BYTES_MAX;

const TAG: u8 = b'S';

/// What stands before the records of a slice: of which index they are, and that they stand here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Label<'a> {
    /// What it says of the slice.
    pub entry: Entry<'a>,
    /// Where the slice is.
    pub place: Place,
    entry_bytes: usize,
}

impl<'a> Label<'a> {
    /// Appends the label that stands at byte `offset` of the file with this entry, as encoded.
    ///
    /// # Panics
    /// If that is longer than an entry can be.
    pub(crate) fn encode(offset: u64, entry: &[u8], out: &mut Vec<u8>) {
        assert!(entry.len() <= ENTRY_BYTES_MAX, "an entry");
        out.push(TAG);
        out.extend_from_slice(&u16::try_from(entry.len()).expect("a short entry").to_le_bytes());
        out.extend_from_slice(&bound_checksum(offset, &[entry]).to_le_bytes());
        out.extend_from_slice(entry);
    }

    /// The label at the beginning of `bytes`, which stand at byte `offset` of the file.
    ///
    /// # Errors
    /// Why none stands there.
    pub(crate) fn decode(bytes: &'a [u8], offset: u64) -> Result<Self, PackError> {
        let fail = |what| PackError::at(offset, what);
        if bytes.first() != Some(&TAG) {
            return Err(fail("no slice begins here"));
        }
        let head = bytes.get(..LABEL_HEAD_BYTES).ok_or(fail("the slice's label is cut off"))?;
        let length = usize::from(u16::from_le_bytes([head[1], head[2]]));
        if length > ENTRY_BYTES_MAX {
            return Err(fail("the slice's label is too long"));
        }
        let entry = bytes
            .get(LABEL_HEAD_BYTES..LABEL_HEAD_BYTES + length)
            .ok_or(fail("the slice's label is cut off"))?;
        if bound_checksum(offset, &[entry]) != u32_at(head, 3) {
            return Err(fail("the checksum of the slice's label does not match"));
        }
        let (decoded, used) = Entry::decode(entry).map_err(fail)?;
        if used != length {
            return Err(fail("something follows the entry in the slice's label"));
        }
        let place = Place::of(offset, length, decoded.bytes).ok_or(fail("the slice is too long"))?;
        Ok(Self { entry: decoded, place, entry_bytes: length })
    }

    /// Its length in bytes.
    #[must_use]
    pub(crate) const fn bytes(&self) -> usize {
        LABEL_HEAD_BYTES + self.entry_bytes
    }

    /// Length of its entry in bytes.
    #[must_use]
    pub(crate) const fn entry_bytes(&self) -> usize {
        self.entry_bytes
    }
}
