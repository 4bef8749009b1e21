//! /proc/self/mountinfo, as far as it matters here.

use std::path::{Path, PathBuf};

use crate::{System, TuneError};

/// A mounted filesystem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// The kernel's number of the mount.
    pub id: u64,
    /// Device numbers, `major:minor`.
    pub device: String,
    /// Where it is mounted.
    pub target: PathBuf,
    /// Its type, as in `ext4`.
    pub filesystem: String,
    /// What is mounted, as in `/dev/sdb1`.
    pub source: String,
    /// Options of the mount and of the filesystem.
    pub options: Vec<String>,
    /// Those of them that are the mount's own: another mount of the same filesystem may have others.
    pub own_options: Vec<String>,
}

impl Mount {
    /// Whether it has an option, as in `noatime` or `barrier=0`.
    #[must_use]
    pub fn has(&self, option: &str) -> bool {
        self.options.iter().any(|found| found == option)
    }
}

/// All mounts.
#[derive(Clone, Debug, Default)]
pub struct Mounts(Vec<Mount>);

impl Mounts {
    /// Those that this process sees.
    ///
    /// # Errors
    /// [`TuneError::Read`].
    pub fn read(system: &System) -> Result<Self, TuneError> {
        Ok(Self(system.read("/proc/self/mountinfo")?.lines().filter_map(parse).collect()))
    }

    /// The mount of this number.
    #[must_use]
    pub fn by_id(&self, id: u64) -> Option<&Mount> {
        self.0.iter().find(|mount| mount.id == id)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Mount> {
        self.0.iter()
    }
}

/// `36 35 98:0 /root /mount/point rw,noatime optional… - ext4 /dev/root rw,errors=continue`
fn parse(line: &str) -> Option<Mount> {
    let (front, back) = line.split_once(" - ")?;
    let mut front = front.split(' ');
    let id = front.next()?.parse().ok()?;
    let device = front.nth(1)?.to_owned();
    let target = Path::new(&unescape(front.nth(1)?)).to_owned();
    let own_options: Vec<String> = front.next()?.split(',').map(str::to_owned).collect();
    let mut back = back.split(' ');
    let (filesystem, source) = (back.next()?.to_owned(), unescape(back.next()?));
    let shared = back.next().unwrap_or_default().split(',').filter(|option| !option.is_empty());
    let options = own_options.iter().cloned().chain(shared.map(str::to_owned)).collect();
    Some(Mount { id, device, target, filesystem, source, options, own_options })
}

/// The kernel writes blanks and backslashes as three octal digits.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let code = rest.get(at + 1..at + 4).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match code {
            Some(code) => {
                out.push(char::from(code));
                rest = &rest[at + 4..];
            }
            None => {
                out.push('\\');
                rest = &rest[at + 1..];
            }
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_kernel_is_taken_apart() {
        let line = r"36 22 98:1 /a /data/raw\040log rw,noatime master:1 shared:2 - xfs /dev/sdb1 rw,wsync";
        let mount = parse(line).unwrap();
        assert_eq!((mount.id, mount.device.as_str()), (36, "98:1"));
        assert_eq!(mount.target, Path::new("/data/raw log"));
        assert_eq!((mount.filesystem.as_str(), mount.source.as_str()), ("xfs", "/dev/sdb1"));
        assert!(mount.has("noatime") && mount.has("wsync") && !mount.has("discard"));
        assert_eq!(mount.own_options, ["rw", "noatime"]);
        assert_eq!(parse("nonsense"), None);
        assert_eq!(unescape(r"a\134b\"), r"a\b\");
    }
}
