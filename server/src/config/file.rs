//! The configuration file: flat TOML, each value reduced to the text that the flag would have taken.

use std::collections::BTreeMap;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::problems::{Problems, suggestion};

/// A setting as a file gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FromFile {
    /// The value's text.
    pub(super) text: String,
    /// The line, from 1.
    pub(super) line: usize,
}

/// Parses `source`, the text of the file at `path`. `names` are the settings there are.
pub(super) fn parse(
    path: &Path,
    source: &str,
    names: &[&str],
    problems: &mut Problems,
) -> BTreeMap<String, FromFile> {
    let line_of = |offset: usize| source[..offset.min(source.len())].matches('\n').count() + 1;
    let place = |offset| format!("{}:{}", path.display(), line_of(offset));
    let table = match DeTable::parse(source) {
        Ok(table) => table.into_inner(),
        Err(error) => {
            let offset = error.span().map_or(0, |span| span.start);
            problems.add(place(offset), format_args!("not TOML: {}", error.message()));
            return BTreeMap::new();
        }
    };
    let mut found = BTreeMap::new();
    for (key, value) in table {
        let offset = key.span().start;
        let key = key.into_inner().into_owned();
        if !names.contains(&key.as_str()) {
            let hint = suggestion(&key, names.iter().copied());
            problems.add(place(offset), format_args!("there is no setting `{key}`{hint}"));
            continue;
        }
        let text = match value.into_inner() {
            DeValue::String(text) => text.into_owned(),
            DeValue::Integer(number) => number.to_string(),
            DeValue::Boolean(flag) => flag.to_string(),
            DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
                problems.add(place(offset), format_args!("`{key}` takes a string, an integer or true/false"));
                continue;
            }
        };
        found.insert(key, FromFile { text, line: line_of(offset) });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(source: &str) -> Result<BTreeMap<String, FromFile>, Problems> {
        let mut problems = Problems::default();
        let found = parse(Path::new("x.toml"), source, &["shards", "sync_interval"], &mut problems);
        problems.or(found)
    }

    #[test]
    fn values_keep_their_line() {
        let found = parsed("# two settings\nshards = 3\n\nsync_interval = \"1s\"\n").unwrap();
        assert_eq!(found["shards"], FromFile { text: "3".into(), line: 2 });
        assert_eq!(found["sync_interval"], FromFile { text: "1s".into(), line: 4 });
    }

    #[test]
    fn all_that_is_wrong_is_said_with_its_line_and_the_nearest_name() {
        let problems =
            parsed("shard = 1\nsync-interval = \"1s\"\nshards = [1]\nzzz = 1").unwrap_err().to_string();
        let mut lines: Vec<_> = problems.lines().collect();
        lines.sort_unstable();
        assert_eq!(
            lines,
            [
                "x.toml:1: there is no setting `shard`; did you mean `shards`?",
                "x.toml:2: there is no setting `sync-interval`; did you mean `sync_interval`?",
                "x.toml:3: `shards` takes a string, an integer or true/false",
                "x.toml:4: there is no setting `zzz`",
            ]
        );
        assert!(parsed("a = 1\nb = = 2").unwrap_err().to_string().starts_with("x.toml:2: not TOML"));
    }
}
