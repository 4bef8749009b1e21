//! The order of docids: Java's `String.compareTo`, by UTF-16 code unit.

use std::cmp::Ordering;

/// Compares two docids, given as UTF-8, by UTF-16 code unit, without decoding them.
///
/// That is byte order, but for one thing: U+E000 to U+FFFF (first byte EE or EF) come after the characters
/// above U+FFFF (first byte F0 to F4), which UTF-16 writes as surrogates from D800 on. Where two strings
/// first differ in a byte behind a character's first, the first bytes are equal and byte order is right.
/// Bytes that are not UTF-8 get some place too: it is a total order over all byte strings.
#[must_use]
pub(crate) fn compare(a: &[u8], b: &[u8]) -> Ordering {
    let common = common_prefix(a, b);
    match (a.get(common), b.get(common)) {
        (Some(&a), Some(&b)) => rank(a).cmp(&rank(b)),
        (a, b) => a.is_some().cmp(&b.is_some()),
    }
}

const fn rank(byte: u8) -> u16 {
    match byte {
        0xEE | 0xEF => 0x100 | byte as u16,
        byte => byte as u16,
    }
}

// Length of the longest common prefix, eight bytes at a time: most neighbours share a long one.
fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    let words = a.chunks_exact(8).zip(b.chunks_exact(8)).take_while(|(a, b)| a == b).count();
    let at = words * 8;
    at + a[at..].iter().zip(&b[at..]).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn docid() -> impl Strategy<Value = String> {
        // Few letters, so that prefixes are shared; and the characters around which the orders differ.
        let characters = prop_oneof![
            Just('a'),
            Just('é'),
            Just('\u{D7FF}'),
            Just('\u{E000}'),
            Just('\u{FFFF}'),
            Just('\u{10000}'),
            Just('\u{10FFFF}'),
            any::<char>(),
        ];
        proptest::collection::vec(characters, 0..24).prop_map(|characters| characters.into_iter().collect())
    }

    proptest! {
        #[test]
        fn order_is_that_of_utf_16_code_units(a in docid(), b in docid(), prefix in "a{0,20}") {
            let (a, b) = (format!("{prefix}{a}"), format!("{prefix}{b}"));
            prop_assert_eq!(compare(a.as_bytes(), b.as_bytes()), a.encode_utf16().cmp(b.encode_utf16()));
        }

        #[test]
        fn any_bytes_are_ordered_totally(mut strings in proptest::collection::vec(proptest::collection::vec(0xECu8..=0xF2, 0..4), 3)) {
            strings.sort_by(|a, b| compare(a, b));
            prop_assert!(compare(&strings[0], &strings[1]).is_le());
            prop_assert!(compare(&strings[0], &strings[2]).is_le(), "transitive");
            prop_assert_eq!(compare(&strings[0], &strings[1]).is_eq(), strings[0] == strings[1]);
        }
    }

    #[test]
    fn characters_above_u_ffff_come_before_those_just_below() {
        assert_eq!(compare("\u{10000}".as_bytes(), "\u{E000}".as_bytes()), Ordering::Less);
        assert_eq!("\u{10000}".cmp("\u{E000}"), Ordering::Greater);
        assert_eq!(compare(b"", b"a"), Ordering::Less);
    }
}
