//! /etc/fstab: `SOURCE POINT TYPE OPTIONS …`

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use super::resolved;

/// What is to be mounted somewhere.
#[derive(Debug)]
pub(super) struct Line {
    /// As written there.
    pub(super) point: PathBuf,
    source: Option<PathBuf>,
    options: Vec<Vec<u8>>,
}

impl Line {
    /// Those that name a mount point; swap has none.
    pub(super) fn all(fstab: &[u8]) -> impl Iterator<Item = Self> {
        lines(fstab).filter(|line| !line.starts_with(b"#")).filter_map(|line| {
            let mut words = words(line);
            let source = unescaped(words.next()?);
            let point = unescaped(words.next()?).filter(|point| point.is_absolute())?;
            let options = words.nth(1).unwrap_or_default().split(|&byte| byte == b',').map(<[u8]>::to_vec);
            Some(Self { point, source, options: options.collect() })
        })
    }

    fn has(&self, option: &str) -> bool {
        self.options.iter().any(|found| found == option.as_bytes())
    }

    /// Whether it is mounted when someone asks for it, and not before.
    pub(super) fn is_by_hand(&self) -> bool {
        // Whoever looks into it asks for it.
        self.has("noauto") && !self.has("x-systemd.automount")
    }

    /// Whether it puts a folder in its own place: with and without it the same is there.
    pub(super) fn is_of_itself(&self) -> bool {
        (self.has("bind") || self.has("rbind"))
            && self.source.as_deref().is_some_and(|source| resolved(source) == resolved(&self.point))
    }
}

pub(super) fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii)
}

pub(super) fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

/// This file and mountinfo write space, tab, newline and backslash as a backslash and three octal digits.
pub(super) fn unescaped(word: &[u8]) -> Option<PathBuf> {
    let (mut bytes, mut rest) = (Vec::with_capacity(word.len()), word);
    while let Some((&first, after)) = rest.split_first() {
        let octal = (first == b'\\').then(|| after.get(..3)).flatten();
        let code = octal.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        bytes.push(code.unwrap_or(first));
        rest = if code.is_some() { &after[3..] } else { after };
    }
    (!bytes.is_empty()).then(|| OsString::from_vec(bytes).into())
}
