//! Damage to a file, as the fuzzer's bytes say: random bytes alone would never pass a checksum.

use std::ops::Range;

/// Applies edits of four bytes each (place, place, how, value) to `bytes`: sets, flips, cuts off or extends.
pub(crate) fn damage(bytes: &mut Vec<u8>, edits: &[u8]) {
    for edit in edits.chunks_exact(4).take(64) {
        let place = usize::from(u16::from_le_bytes([edit[0], edit[1]]));
        if bytes.is_empty() {
            return;
        }
        let at = place % bytes.len();
        match edit[2] % 8 {
            0 => bytes.truncate(at),
            1 => bytes.resize(bytes.len() + usize::from(edit[3]), 0),
            2 => bytes[at..].fill(0),
            3 | 4 => bytes[at] ^= edit[3],
            _ => bytes[at] = edit[3],
        }
    }
}

/// Makes the checksum behind `covered` right: as forged, or as written by a program with a fault.
pub(crate) fn mend(bytes: &mut [u8], covered: Range<usize>) {
    let end = covered.end;
    let Some(checksum) = bytes.get(covered).map(crc32c::crc32c) else { return };
    if let Some(place) = bytes.get_mut(end..end + 4) {
        place.copy_from_slice(&checksum.to_le_bytes());
    }
}
