use crate::format::block_table::BlockTable;
use crate::format::pack::{Entry, PackName, SliceKind};
use crate::ids::{IndexCode, Position};
use crate::limits::SIDECAR_BLOCK_BYTES;

/// What is to be known of a slice besides its records.
#[derive(Clone, Copy, Debug)]
pub struct NewSlice<'a> {
    /// The index.
    pub code: &'a IndexCode,
    /// What was done to it.
    pub kind: SliceKind,
    /// Its first position: not before the pack's.
    pub first: Position,
    /// Of a base, the position before which it may lack deletions: not after the pack's end.
    pub dropped: Position,
}

impl<'s> NewSlice<'s> {
    /// The entry of the slice with these records in the pack of this name; and its table, if it is longer than a block.
    ///
    /// # Panics
    /// If it can't be in that pack.
    pub(super) fn entry<'r>(
        &self,
        pack: &PackName,
        records: impl Iterator<Item = &'r [u8]> + Clone,
    ) -> (Entry<'s>, Option<Vec<u8>>) {
        let range = pack.range();
        let (mut count, mut bytes, mut checksum) = (0, 0, 0);
        for record in records.clone() {
            count += 1;
            bytes += record.len() as u64;
            // Of more than a block it is the table's that counts.
            if bytes <= SIDECAR_BLOCK_BYTES as u64 {
                checksum = crc32c::crc32c_append(checksum, record);
            }
        }
        assert!(self.first >= range.first(), "a slice does not begin before its pack");
        let is_base = self.kind == SliceKind::Base;
        let mut entry = Entry {
            code: self.code.as_str().as_bytes(),
            kind: self.kind,
            bytes,
            records: count,
            checksum,
            own_first: Some(self.first).filter(|&first| first > range.first()),
            own_dropped: Some(self.dropped).filter(|&dropped| is_base && dropped != range.end()),
        };
        if let Err(what) = entry.check(pack) {
            panic!("the slice of {} does not belong into {pack}: {what}", self.code);
        }
        let table = entry.has_table().then(|| table(records));
        if let Some(table) = &table {
            entry.checksum = crc32c::crc32c(table);
        }
        (entry, table)
    }
}

fn table<'r>(records: impl Iterator<Item = &'r [u8]>) -> Vec<u8> {
    let mut table = BlockTable::default();
    for record in records {
        table.push(record);
    }
    let mut rows = Vec::new();
    table.encode(&mut rows);
    rows
}
