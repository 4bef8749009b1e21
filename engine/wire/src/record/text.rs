//! Strings made valid UTF-8 as the original's decoder (Java's) does it.

use std::borrow::Cow;

const REPLACEMENT: &str = "\u{fffd}";

/// `bytes` as they are if they are UTF-8; else with each run that is not replaced by U+FFFD.
///
/// Runs are the longest beginnings of a character, as in Unicode's recommended practice and in
/// [`String::from_utf8_lossy`], with one difference: a surrogate encoded in three bytes is one run, not three.
pub(super) fn to_utf8(bytes: &[u8]) -> Cow<'_, [u8]> {
    let Err(mut error) = str::from_utf8(bytes) else { return Cow::Borrowed(bytes) };
    let mut text = Vec::with_capacity(bytes.len() + 2 * REPLACEMENT.len());
    let mut rest = bytes;
    loop {
        let (valid, behind) = rest.split_at(error.valid_up_to());
        text.extend_from_slice(valid);
        text.extend_from_slice(REPLACEMENT.as_bytes());
        let run = match (behind, error.error_len()) {
            ([0xed, 0xa0..=0xbf, 0x80..=0xbf, ..], _) => 3,
            ([0xed, 0xa0..=0xbf, ..], _) => 2,
            (_, Some(run)) => run,
            (_, None) => behind.len(),
        };
        rest = &behind[run..];
        match str::from_utf8(rest) {
            Ok(valid) => {
                text.extend_from_slice(valid.as_bytes());
                return Cow::Owned(text);
            }
            Err(next) => error = next,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::to_utf8;

    fn decoded(bytes: &[u8]) -> String {
        String::from_utf8(to_utf8(bytes).into_owned()).unwrap()
    }

    /// Expectations are what Java 8's and 17's `new String(bytes, "UTF-8")` give.
    #[test]
    fn replaces_like_java() {
        for (bytes, text) in [
            (&b"plain \xc3\xa9 \xe6\x97\xa5 \xf0\x9f\x98\x80"[..], "plain é 日 😀"),
            (b"bad\xff\xfe\xc3utf8", "bad???utf8"),
            (b"v\xed\xa0\x80", "v?"),
            (b"\xed\xa0\x80\xed\xb0\x80x", "??x"),
            (b"\xed\xa0x", "?x"),
            (b"\xed\xbf", "?"),
            (b"\xed", "?"),
            (b"\xe6\x97", "?"),
            (b"\xe6\x97x", "?x"),
            (b"\xf0\x9f\x98", "?"),
            (b"\xf0\x9f\x98x", "?x"),
            (b"\xf0\x80\x80\x80", "????"),
            (b"\xf4\x90\x80\x80", "????"),
            (b"\xf5\x80", "??"),
            (b"\xc0\x80", "??"),
            (b"\xe0\x80\x80", "???"),
            (b"\xed\xa0\x80\xff", "??"),
        ] {
            assert_eq!(decoded(bytes), text.replace('?', "\u{fffd}"), "{bytes:x?}");
        }
    }
}
