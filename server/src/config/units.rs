//! Texts of values to values.

use std::net::SocketAddr;
use std::time::Duration;

/// `16MiB`, `1GB`, `4096`: bytes.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    text.parse::<bytesize::ByteSize>()
        .map(|size| size.as_u64())
        .map_err(|_| format!("`{text}` is not a size; write it as in 4096, 64KiB, 16MiB or 1GiB"))
}

/// `500ms`, `1s`, `30d`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|_| format!("`{text}` is not a duration; write it as in 50us, 500ms, 1s, 10m, 2h or 30d"))
}

/// A whole number.
pub(super) fn number<N: std::str::FromStr>(text: &str) -> Result<N, String> {
    text.parse().map_err(|_| format!("`{text}` is not a whole number in range"))
}

/// `true` or `false`.
pub(super) fn flag(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| format!("`{text}` is neither true nor false"))
}

/// `127.0.0.1:15000`, `[::1]:15000`.
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| format!("`{text}` is not IP:PORT; write it as in 127.0.0.1:15000 or [::1]:15000"))
}

/// A name of a machine, as in `storage.example.com`, without a port.
pub(super) fn host_name(text: &str) -> Result<String, String> {
    let text = text.trim();
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.is_empty() || !text.chars().all(is_name) {
        return Err(format!(
            "`{text}` is no name of a host; write it as in status.example.com, without a port"
        ));
    }
    Ok(text.to_owned())
}

/// One of a few words.
pub(super) fn word<T: Copy>(text: &str, words: &[(&str, T)]) -> Result<T, String> {
    words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).ok_or_else(|| {
        let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        format!("`{text}` is none of {}", all.join(", "))
    })
}

/// `None` for `word`, else what `parse` makes of the text.
pub(super) fn or_word<T>(
    text: &str,
    word: &str,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Result<Option<T>, String> {
    if text == word {
        return Ok(None);
    }
    parse(text).map(Some).map_err(|error| format!("{error}, or `{word}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_durations_are_read_as_written() {
        assert_eq!(bytes("4096"), Ok(4096));
        assert_eq!(bytes("16MiB"), Ok(16 << 20));
        assert_eq!(bytes("1GB"), Ok(1_000_000_000));
        assert_eq!(duration("0us"), Ok(Duration::ZERO));
        assert_eq!(duration("30d"), Ok(Duration::from_secs(30 * 86_400)));
        assert!(bytes("lots").unwrap_err().contains("16MiB"));
        assert!(bytes("-1").is_err());
        assert!(duration("1").unwrap_err().contains("500ms"));
    }

    #[test]
    fn a_name_of_a_host_has_no_port() {
        assert_eq!(host_name(" status.example.com "), Ok("status.example.com".to_owned()));
        for text in ["", "a:80", "http://a", "*.example.com", "a b", "é"] {
            assert!(host_name(text).unwrap_err().contains("without a port"), "{text}");
        }
    }

    #[test]
    fn a_word_may_stand_for_no_bound() {
        assert_eq!(or_word("unlimited", "unlimited", bytes), Ok(None));
        assert_eq!(or_word("1KiB", "unlimited", bytes), Ok(Some(1024)));
        assert!(or_word("x", "unlimited", bytes).unwrap_err().ends_with("or `unlimited`"));
    }
}
