//! /proc/self/mountinfo: `ID PARENT DEVICE ROOT POINT OPTIONS [optional…] - TYPE SOURCE …`

use std::path::{Path, PathBuf};

use super::fstab::{lines, unescaped, words};

/// One of them.
#[derive(Debug)]
pub(super) struct Mount<'t> {
    id: &'t [u8],
    parent: &'t [u8],
    device: &'t [u8],
    /// Which of the filesystem's folders is mounted.
    root: PathBuf,
    point: PathBuf,
    /// Its type.
    pub(super) filesystem: &'t [u8],
    /// What is mounted, as its filesystem has it.
    pub(super) source: &'t [u8],
}

impl Mount<'_> {
    /// Whether all of the filesystem is mounted, not one of its folders.
    pub(super) fn is_whole(&self) -> bool {
        self.root == Path::new("/")
    }
}

/// What is mounted, as this process sees it.
#[derive(Debug)]
pub(super) struct Mounts<'t>(Vec<Mount<'t>>);

impl<'t> Mounts<'t> {
    pub(super) fn parse(mountinfo: &'t [u8]) -> Self {
        let parsed = lines(mountinfo).filter_map(|line| {
            let words: Vec<_> = words(line).collect();
            let separator = words.iter().position(|word| *word == b"-")?;
            Some(Mount {
                id: words.first()?,
                parent: words.get(1)?,
                device: words.get(2)?,
                root: unescaped(words.get(3)?)?,
                point: unescaped(words.get(4)?)?,
                filesystem: words.get(separator + 1)?,
                source: words.get(separator + 2)?,
            })
        });
        Self(parsed.collect())
    }

    /// What is mounted on /.
    pub(super) fn root(&self) -> Option<&Mount<'t>> {
        self.0.iter().rev().find(|mount| mount.point == Path::new("/"))
    }

    /// The mount point closest to `path` on which something is mounted.
    pub(super) fn deepest_over(&self, path: &Path) -> Option<&Path> {
        let over = self.0.iter().filter(|mount| path.starts_with(&mount.point) && self.is_something(mount));
        over.map(|mount| &*mount.point).max_by_key(|point| point.components().count())
    }

    /// Not the place where something is to be mounted on demand; and not a folder in its own place, as a service manager
    /// mounts it to make it writable (ReadWritePaths=, StateDirectory=).
    fn is_something(&self, mount: &Mount<'_>) -> bool {
        let above = self.0.iter().find(|above| above.id == mount.parent);
        let in_its_own_place = above.is_some_and(|above| {
            above.device == mount.device
                && mount
                    .point
                    .strip_prefix(&above.point)
                    .is_ok_and(|below| above.root.join(below) == mount.root)
        });
        mount.filesystem != b"autofs" && !in_its_own_place
    }
}
