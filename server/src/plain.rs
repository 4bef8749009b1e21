//! Text from outside (names of files, drives and mounts, what a peer says) as it may reach a terminal, a log or a line.

use std::borrow::Cow;

/// What a terminal or a reader takes for something else than text: control characters, among them those that begin
/// escape sequences, line ends of Unicode, and what turns the direction of writing around.
fn is_command(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// With such characters but those in `kept` as `\uXXXX`: inside of a string of JSON or TOML that means the same.
pub(crate) fn plain<'t>(text: &'t str, kept: &[char]) -> Cow<'t, str> {
    let changes = |c: char| is_command(c) && !kept.contains(&c);
    if !text.contains(changes) {
        return Cow::Borrowed(text);
    }
    let escaped = |c: char| if changes(c) { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() };
    Cow::Owned(text.chars().map(escaped).collect())
}

/// As one line: without line ends either.
pub(crate) fn one_line(text: &str) -> Cow<'_, str> {
    plain(text, &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown_instead() {
        assert_eq!(plain("plain text, é, 漢", &[]), "plain text, é, 漢");
        assert_eq!(
            plain("\u{1b}[2J\u{9b}31m\u{7}\r\u{202e}\u{7f}", &[]),
            "\\u001b[2J\\u009b31m\\u0007\\u000d\\u202e\\u007f"
        );
        assert_eq!(plain("a\n\tb\u{1b}", &['\n', '\t']), "a\n\tb\\u001b");
        assert_eq!(one_line("a\nb"), "a\\u000ab");
    }

    #[test]
    fn a_string_of_json_keeps_its_meaning() {
        let text = serde_json::to_string("\u{9b}\u{2028}\u{1b}").unwrap();
        let shown = plain(&text, &['\n']);
        assert!(!shown.contains('\u{9b}'), "{shown:?}");
        assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), "\u{9b}\u{2028}\u{1b}");
    }
}
