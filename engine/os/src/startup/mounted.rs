//! A mount point whose drive is not mounted looks like any empty folder; /etc/fstab says that it is none.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use super::startup_error::StartupError;

/// Whether the drive that holds `path` is mounted, as far as /etc/fstab lists it; `path` need not be there.
///
/// # Errors
/// If a mount point on the way to it has nothing mounted on it.
pub fn check_mounted(path: &Path) -> Result<(), StartupError> {
    // Where there is no such file, as in many containers, nothing is listed.
    let Ok(wanted) = std::fs::read(Path::new("/etc/fstab")) else { return Ok(()) };
    let Some(mount_point) = missing(path, &wanted, &mounted()) else { return Ok(()) };
    // Looking into it mounts what is mounted on demand.
    let _ = std::fs::read_dir(&mount_point);
    match missing(path, &wanted, &mounted()) {
        Some(mount_point) => Err(StartupError::NotMounted { path: path.to_owned(), mount_point }),
        None => Ok(()),
    }
}

/// Without /proc nothing is known: then everything counts as mounted.
fn mounted() -> Vec<u8> {
    std::fs::read("/proc/self/mountinfo").unwrap_or_default()
}

/// The mount point above `path` that nothing is mounted on, if the lines of fstab list one and those of mountinfo lack it.
fn missing(path: &Path, fstab: &[u8], mountinfo: &[u8]) -> Option<PathBuf> {
    let mounted = lines(mountinfo).filter_map(|line| {
        let words: Vec<_> = words(line).collect();
        let separator = words.iter().position(|word| *word == b"-")?;
        // The place where something is to be mounted on demand, not what is mounted.
        (words.get(separator + 1)? != b"autofs").then(|| unescaped(words.get(4)?)).flatten()
    });
    let mounted: Vec<PathBuf> = mounted.collect();
    let wanted = lines(fstab).filter(|line| !line.starts_with(b"#")).filter_map(|line| {
        let point = unescaped(words(line).nth(1)?)?;
        point.is_absolute().then_some(point)
    });
    let path = resolved(path);
    let wanted = wanted
        .filter(|point| path.starts_with(resolved(point)))
        .max_by_key(|point| depth(&resolved(point)))?;
    let deepest = mounted.iter().filter(|point| path.starts_with(point)).map(|point| depth(point)).max()?;
    (depth(&resolved(&wanted)) > deepest).then_some(wanted)
}

fn depth(path: &Path) -> usize {
    path.components().count()
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii)
}

fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

/// Both files write space, tab, newline and backslash as a backslash and three octal digits.
fn unescaped(word: &[u8]) -> Option<PathBuf> {
    let (mut bytes, mut rest) = (Vec::with_capacity(word.len()), word);
    while let Some((&first, after)) = rest.split_first() {
        let octal = (first == b'\\').then(|| after.get(..3)).flatten();
        let code = octal.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        bytes.push(code.unwrap_or(first));
        rest = if code.is_some() { &after[3..] } else { after };
    }
    (!bytes.is_empty()).then(|| OsString::from_vec(bytes).into())
}

/// Without symbolic links, as far as it is there.
fn resolved(path: &Path) -> PathBuf {
    for there in path.ancestors() {
        if let Ok(real) = there.canonicalize() {
            let rest = path.strip_prefix(there).expect("it is one of its ancestors");
            return if rest.as_os_str().is_empty() { real } else { real.join(rest) };
        }
    }
    path.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTINFO: &str = "22 1 0:20 / / rw - overlay overlay rw\n\
                             36 22 98:0 / /srv rw,noatime master:1 - xfs /dev/sdb1 rw\n\
                             37 22 98:0 / /srv/with\\040space rw shared:2 - xfs /dev/sdc1 rw\n\
                             38 22 0:33 / /auto rw - autofs systemd-1 rw\n";

    #[test]
    fn a_listed_mount_point_without_a_mount_is_named() {
        let fstab = "# /dev/x /commented xfs\n\
                     /dev/root / ext4 defaults 0 1\n\
                     /dev/swap none swap sw 0 0\n\
                     /dev/sdb1\t/srv xfs noatime 0 0\n\
                     /dev/sdc1 /srv/with\\040space xfs noatime 0 0\n\
                     /dev/sdd1 /srv/raw/ xfs noatime,noauto 0 0\n\
                     /dev/sde1 /auto xfs noauto,x-systemd.automount 0 0\n\
                     nonsense\n";
        let missing = |path: &str| missing(Path::new(path), fstab.as_bytes(), MOUNTINFO.as_bytes());
        for good in
            ["/var/lib/logtank", "/srv", "/srv/data", "/srv/rawer", "/srv/with space/x", "/commented/x"]
        {
            assert_eq!(missing(good), None, "{good}");
        }
        for bad in ["/srv/raw", "/srv/raw/raw", "/srv/raw/raw/live"] {
            assert_eq!(missing(bad), Some(PathBuf::from("/srv/raw/")), "{bad}");
        }
        assert_eq!(missing("/auto/data"), Some(PathBuf::from("/auto")));
    }

    #[test]
    fn a_mount_below_the_listed_one_is_good_enough() {
        let fstab =
            b"/dev/sdx /srv/with xfs defaults 0 0\n/dev/sdy /srv/with\\040space/deep xfs defaults 0 0\n";
        let missing = |path: &str| missing(Path::new(path), fstab, MOUNTINFO.as_bytes());
        assert_eq!(missing("/srv/with space/data"), None);
        assert_eq!(missing("/srv/with space/deep/data"), Some(PathBuf::from("/srv/with space/deep")));
    }

    #[test]
    fn links_are_followed_to_where_the_data_are() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap();
        std::fs::create_dir(real.join("drive")).unwrap();
        std::os::unix::fs::symlink(real.join("drive"), real.join("link")).unwrap();
        let fstab = format!("/dev/x {} xfs defaults 0 0\n", real.join("drive").display());
        let found = missing(&real.join("link/data"), fstab.as_bytes(), MOUNTINFO.as_bytes());
        assert_eq!(found, Some(real.join("drive")));
        check_mounted(&real).unwrap();
    }

    #[test]
    fn without_a_list_of_mounts_nothing_is_refused() {
        assert_eq!(missing(Path::new("/srv/raw"), b"/dev/x /srv/raw xfs\n", b""), None);
    }
}
