//! A mount point whose drive is not mounted looks like any empty folder; /etc/fstab says that it is none.

mod container;
mod fstab;
mod mountinfo;

use std::path::{Path, PathBuf};

use super::startup_error::StartupError;
use fstab::Line;
use mountinfo::Mounts;

/// Whether the drive that holds `path` is mounted, as far as /etc/fstab lists it; `path` need not be there.
///
/// # Errors
/// If a mount point on the way to it has nothing mounted on it.
pub fn check_mounted(path: &Path) -> Result<(), StartupError> {
    // Where there is no such file, as in many containers, nothing is listed.
    let Ok(listed) = std::fs::read("/etc/fstab") else { return Ok(()) };
    let Some(mount_point) = missing(path, &listed, &mounted()) else { return Ok(()) };
    if container::is_inside(&Mounts::parse(&mounted()), |file| Path::new(file).exists()) {
        // Its manager mounts what it has, and the list came with the image.
        return Ok(());
    }
    // Looking into it mounts what is mounted on demand.
    let _ = std::fs::read_dir(&mount_point);
    match missing(path, &listed, &mounted()) {
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
    let mounts = Mounts::parse(mountinfo);
    let path = resolved(path);
    let wanted = Line::all(fstab)
        .map(|line| (resolved(&line.point), line))
        .filter(|(point, line)| path.starts_with(point) && !line.is_of_itself() && !is_optional(point, line))
        .max_by_key(|(point, _)| depth(point));
    let (point, line) = wanted?;
    (depth(&point) > depth(mounts.deepest_over(&path)?)).then_some(line.point)
}

/// Whether it may be left unmounted on purpose: nobody mounts it at the start of the machine, and what is in its place says that
/// the folder is used without it.
fn is_optional(point: &Path, line: &Line) -> bool {
    line.is_by_hand() && std::fs::read_dir(point).is_ok_and(|mut entries| entries.next().is_some())
}

fn depth(path: &Path) -> usize {
    path.components().count()
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

    const MOUNTINFO: &str = "22 1 259:2 / / rw - ext4 /dev/root rw\n\
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
    fn a_folder_in_its_own_place_is_no_drive() {
        // As under ReadWritePaths=/srv/raw and StateDirectory=.
        let unit = "22 1 259:2 / / ro - ext4 /dev/root ro\n\
                    36 22 259:2 /srv/raw /srv/raw rw - ext4 /dev/root rw\n\
                    37 36 259:2 /srv/raw/raw /srv/raw/raw rw - ext4 /dev/root rw\n\
                    38 22 98:0 / /srv/drive rw - xfs /dev/sdb1 rw\n\
                    39 38 98:0 / /srv/drive rw - xfs /dev/sdb1 rw\n\
                    40 22 259:2 /elsewhere /srv/bound rw - ext4 /dev/root rw\n";
        let fstab = b"/dev/sda /srv/raw xfs defaults 0 0\n\
                      UUID=1-2 /srv/drive xfs defaults 0 0\n\
                      /elsewhere /srv/bound none bind 0 0\n";
        let missing = |path: &str| missing(Path::new(path), fstab, unit.as_bytes());
        assert_eq!(missing("/srv/raw"), Some(PathBuf::from("/srv/raw")));
        assert_eq!(missing("/srv/raw/raw/live"), Some(PathBuf::from("/srv/raw")));
        assert_eq!(missing("/srv/drive/raw"), None);
        assert_eq!(missing("/srv/bound/raw"), None);
        let unbound = unit.rsplit_once("40 22").unwrap().0;
        assert_eq!(
            super::missing(Path::new("/srv/bound/raw"), fstab, unbound.as_bytes()),
            Some("/srv/bound".into())
        );
    }

    #[test]
    fn a_folder_listed_in_its_own_place_is_not_missing() {
        let fstab = b"/srv/raw /srv/raw none bind 0 0\n/srv/./raw/ /srv/raw none defaults,rbind 0 0\n";
        let bound =
            b"22 1 259:2 / / rw - ext4 /dev/root rw\n36 22 259:2 /srv/raw /srv/raw rw - ext4 /dev/root rw\n";
        assert_eq!(missing(Path::new("/srv/raw/x"), fstab, bound), None);
        assert_eq!(missing(Path::new("/srv/raw/x"), fstab, MOUNTINFO.as_bytes()), None);
    }

    #[test]
    fn what_is_mounted_by_hand_may_be_used_without() {
        let folder = tempfile::tempdir().unwrap();
        let point = folder.path().canonicalize().unwrap();
        let missing = |options: &str| {
            let fstab = format!("/dev/x {} xfs {options} 0 0\n", point.display());
            missing(&point.join("data"), fstab.as_bytes(), MOUNTINFO.as_bytes())
        };
        for options in ["noauto", "noauto,x-systemd.automount", "nofail", "defaults"] {
            assert_eq!(missing(options).as_deref(), Some(&*point), "{options}, as nothing is there");
        }
        std::fs::create_dir(point.join("data")).unwrap();
        assert_eq!(missing("noatime,noauto"), None);
        for options in ["noauto,x-systemd.automount", "nofail", "defaults"] {
            assert_eq!(missing(options).as_deref(), Some(&*point), "{options}, as something is there");
        }
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
