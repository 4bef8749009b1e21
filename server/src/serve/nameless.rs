//! Folders of indexes whose names are not UTF-8: the engine, whose names are text, never sees them.

use std::fmt;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use logtank_engine::format::Layout;

/// One of them. Shown with quotes, and with escapes for the bytes that are no text.
#[derive(Debug)]
pub(crate) struct Nameless(PathBuf);

impl fmt::Display for Nameless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// Those that are there, in order.
///
/// # Errors
/// The system's, with the folder's name.
pub(crate) fn nameless_indexes(layout: &Layout) -> io::Result<Vec<Nameless>> {
    let indexes = layout.indexes();
    look(&indexes).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", indexes.display())))
}

fn look(indexes: &Path) -> io::Result<Vec<Nameless>> {
    let entries = match std::fs::read_dir(indexes) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_name().to_str().is_none() {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found.into_iter().map(Nameless).collect())
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn what_is_no_text_is_named_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path(), None);
        assert!(nameless_indexes(&layout).unwrap().is_empty());
        for name in [&b"fine"[..], b"a b", "\u{e9}".as_bytes(), b"\xe9t\xe9", b"n\nl\xff"] {
            std::fs::create_dir_all(layout.indexes().join(OsStr::from_bytes(name))).unwrap();
        }
        let found: Vec<_> = nameless_indexes(&layout).unwrap().iter().map(ToString::to_string).collect();
        let indexes = layout.indexes();
        let expected = [r"n\nl\xFF", r"\xE9t\xE9"].map(|name| format!("\"{}/{name}\"", indexes.display()));
        assert_eq!(found, expected);
    }
}
