use super::cell::CodeHash;
use super::name::{PackKind, PackName};
use super::varint::{self, VARINT_BYTES_MAX};
use super::{u32_at, u64_at};
use crate::ids::{IndexCode, Position};
use crate::limits::{INDEX_CODE_BYTES_MAX, SIDECAR_BLOCK_BYTES};

/// Longest entry, in bytes.
pub(crate) const ENTRY_BYTES_MAX: usize = 1 + INDEX_CODE_BYTES_MAX + 1 + 2 * VARINT_BYTES_MAX + 4 + 8 + 8;

const KIND: u8 = 3;
const OWN_FIRST: u8 = 4;
const OWN_DROPPED: u8 = 8;

/// What has been done to a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SliceKind {
    /// As dealt: in order of arrival.
    Unsorted,
    /// Ordered by docid, each docid once.
    Sorted,
    /// As sorted, and nothing of the index came before it.
    Base,
}

impl SliceKind {
    /// The word for people.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unsorted => "unsorted",
            Self::Sorted => "sorted",
            Self::Base => "base",
        }
    }
}

/// What a pack says of one slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    /// The index: a valid code.
    pub code: &'a [u8],
    /// What was done to the slice.
    pub kind: SliceKind,
    /// Bytes of its records. Only a base can be empty.
    pub bytes: u64,
    /// Its records.
    pub records: u64,
    /// CRC32C of its data, or of its table if it has one.
    pub checksum: u32,
    /// Where it begins, if that is later than where its pack does.
    pub own_first: Option<Position>,
    /// Before which position it may lack deletions, if that is not its end. Only of a base.
    pub own_dropped: Option<Position>,
}

impl<'a> Entry<'a> {
    /// The hash of its code.
    #[must_use]
    pub(crate) fn hash(&self) -> CodeHash {
        CodeHash::of(self.code)
    }

    /// Whether its data is longer than a block, so that a table follows it.
    #[must_use]
    pub(crate) const fn has_table(&self) -> bool {
        self.bytes > SIDECAR_BLOCK_BYTES as u64
    }

    /// Its first position, in the pack of this name.
    #[must_use]
    pub(crate) fn first(&self, pack: &PackName) -> Position {
        self.own_first.unwrap_or(pack.range().first())
    }

    /// The position before which it may lack deletions, in the pack of this name; [`Position::ZERO`] if it lacks none.
    #[must_use]
    pub(crate) fn dropped(&self, pack: &PackName) -> Position {
        match self.kind {
            SliceKind::Base => self.own_dropped.unwrap_or(pack.range().end()),
            SliceKind::Unsorted | SliceKind::Sorted => Position::ZERO,
        }
    }

    /// What keeps it from being the entry of a slice in the pack of this name, if anything does.
    ///
    /// # Errors
    /// What that is.
    pub(crate) fn check(&self, pack: &PackName) -> Result<(), &'static str> {
        let range = pack.range();
        if !pack.cell().holds(self.hash()) {
            return Err("the index does not belong to the pack's cell");
        }
        if self.own_first.is_some_and(|first| first <= range.first() || first >= range.end()) {
            return Err("the slice's first position is out of the pack's range");
        }
        if self.own_dropped.is_some_and(|dropped| dropped >= range.end()) {
            return Err("the slice lacks deletions beyond the pack's range");
        }
        if self.own_dropped.is_some() && self.kind != SliceKind::Base {
            return Err("a slice that is no base lacks deletions");
        }
        if self.kind == SliceKind::Base && pack.kind() != PackKind::Base {
            return Err("a base stands in a recent pack");
        }
        if self.records > self.bytes || (self.records == 0) != (self.bytes == 0) {
            return Err("the slice's records and bytes contradict each other");
        }
        if self.records == 0 && self.kind != SliceKind::Base {
            return Err("a slice that is no base is empty");
        }
        Ok(())
    }

    /// Appends its bytes.
    ///
    /// # Panics
    /// If the code is none.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        assert!(IndexCode::is_valid(self.code), "a code that can name an index");
        out.push(u8::try_from(self.code.len()).expect("at most 128 bytes"));
        out.extend_from_slice(self.code);
        let kind = match self.kind {
            SliceKind::Unsorted => 1,
            SliceKind::Sorted => 2,
            SliceKind::Base => 3,
        };
        let own_first = if self.own_first.is_some() { OWN_FIRST } else { 0 };
        let own_dropped = if self.own_dropped.is_some() { OWN_DROPPED } else { 0 };
        out.push(kind | own_first | own_dropped);
        varint::write(out, self.bytes);
        varint::write(out, self.records);
        out.extend_from_slice(&self.checksum.to_le_bytes());
        for position in [self.own_first, self.own_dropped].into_iter().flatten() {
            out.extend_from_slice(&position.packed().to_le_bytes());
        }
    }

    /// The entry at the beginning of `bytes`, and how many of them it takes.
    ///
    /// # Errors
    /// Why none stands there.
    pub(crate) fn decode(bytes: &'a [u8]) -> Result<(Self, usize), &'static str> {
        let mut rest = bytes;
        let length = take(&mut rest, 1)?[0];
        let code = take(&mut rest, length.into())?;
        if !IndexCode::is_valid(code) {
            return Err("the entry's code can't name an index");
        }
        let flags = take(&mut rest, 1)?[0];
        let kind = match flags & KIND {
            1 => SliceKind::Unsorted,
            2 => SliceKind::Sorted,
            3 => SliceKind::Base,
            _ => return Err("the entry's kind is unknown"),
        };
        if flags & !(KIND | OWN_FIRST | OWN_DROPPED) != 0 {
            return Err("a flag of the entry is unknown");
        }
        let entry = Self {
            code,
            kind,
            bytes: take_varint(&mut rest)?,
            records: take_varint(&mut rest)?,
            checksum: u32_at(take(&mut rest, 4)?, 0),
            own_first: take_position(&mut rest, flags & OWN_FIRST != 0)?,
            own_dropped: take_position(&mut rest, flags & OWN_DROPPED != 0)?,
        };
        Ok((entry, bytes.len() - rest.len()))
    }
}

fn take<'a>(rest: &mut &'a [u8], bytes: usize) -> Result<&'a [u8], &'static str> {
    let (taken, behind) = rest.split_at_checked(bytes).ok_or("the entry is not whole")?;
    *rest = behind;
    Ok(taken)
}

fn take_varint(rest: &mut &[u8]) -> Result<u64, &'static str> {
    let (value, bytes) = varint::read(rest).ok_or("a number of the entry can't be read")?;
    *rest = &rest[bytes..];
    Ok(value)
}

fn take_position(rest: &mut &[u8], is_there: bool) -> Result<Option<Position>, &'static str> {
    if !is_there {
        return Ok(None);
    }
    Ok(Some(Position::from_packed(u64_at(take(rest, 8)?, 0))))
}
