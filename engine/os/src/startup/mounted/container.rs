//! Whether this process runs in a container, where nobody mounts what fstab lists.

use super::mountinfo::Mounts;

/// Asks the root of the file tree, and for files that managers of containers leave there. `exists` tells of such a file.
pub(super) fn is_inside(mounts: &Mounts<'_>, exists: impl Fn(&str) -> bool) -> bool {
    let Some(root) = mounts.root() else { return false };
    // Podman; systemd, of LXC, nspawn and others.
    if ["/run/.containerenv", "/run/systemd/container"].into_iter().any(&exists) {
        return true;
    }
    // A whole filesystem has that file where a virtual machine was made of an image for Docker.
    if exists("/.dockerenv") && !root.is_whole() {
        return true;
    }
    // Layers: whoever has them without a container names them otherwise (composefs, overlayroot).
    matches!((root.filesystem, root.source), (b"overlay", b"overlay") | (b"aufs" | b"fuse.fuse-overlayfs", _))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_told_from_machines() {
        let inside = |root: &str, files: &[&str]| {
            let mountinfo = format!("22 1 {root}\n23 22 8:1 /x /data rw - ext4 /dev/sda1 rw\n");
            is_inside(&Mounts::parse(mountinfo.as_bytes()), |file| files.contains(&file))
        };
        let whole = "254:0 / / rw - ext4 /dev/vda rw";
        assert!(!inside(whole, &[]));
        assert!(!inside(whole, &["/.dockerenv"]), "a virtual machine made of an image");
        assert!(inside(whole, &["/run/systemd/container"]), "LXC with a volume of its own");
        assert!(inside("0:50 / / rw - overlay overlay rw,lowerdir=x", &[]), "containerd");
        assert!(inside("8:1 /docker/vfs/dir/1 / rw - ext4 /dev/sda1 rw", &["/.dockerenv"]));
        assert!(inside("0:9 / / rw - fuse.fuse-overlayfs fuse-overlayfs rw", &[]));
        assert!(!inside("0:31 / / ro - overlay composefs ro", &[]), "an image of the whole machine");
        assert!(!inside("0:27 /@ / rw - btrfs /dev/sda2 rw", &[]), "a subvolume");
    }
}
