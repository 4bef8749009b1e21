//! Limits of the control group that this process is in, and of those above it.

use std::path::Path;

/// The least value that `name` ("memory.max", "pids.max") has from the group of this process up to the root; `None` if
/// nothing is limited. Of groups of the first version, where each controller has a tree of its own, those are known whose
/// limit has the same name: that of threads.
pub(super) fn limit(name: &str) -> Option<u64> {
    let own = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    least(&own, Path::new("/sys/fs/cgroup"), name)
}

fn least(own: &str, root: &Path, name: &str) -> Option<u64> {
    let controller = name.split('.').next()?;
    let folder = |line: &str| {
        let (_, described) = line.split_once(':')?;
        let (controllers, group) = described.split_once(":/")?;
        match controllers {
            "" => Some((root.to_owned(), group.to_owned())),
            _ if controllers.split(',').any(|its| its == controller) => {
                Some((root.join(controllers), group.to_owned()))
            }
            _ => None,
        }
    };
    let limits = own.lines().filter_map(folder).flat_map(|(root, group)| {
        let read =
            |group: &Path| std::fs::read_to_string(root.join(group).join(name)).ok()?.trim().parse().ok();
        Path::new(&group).ancestors().filter_map(read).collect::<Vec<u64>>()
    });
    limits.min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_limit_up_to_the_root_counts() {
        let root = tempfile::tempdir().unwrap();
        let group = root.path().join("system.slice/logtank.service");
        std::fs::create_dir_all(&group).unwrap();
        std::fs::write(group.join("memory.max"), "max\n").unwrap();
        std::fs::write(group.join("pids.max"), "512\n").unwrap();
        std::fs::write(root.path().join("system.slice/memory.max"), "1073741824\n").unwrap();
        std::fs::write(root.path().join("pids.max"), "4096\n").unwrap();
        let limit = |name| least("1:cpu:/x\n0::/system.slice/logtank.service\n", root.path(), name);
        assert_eq!(limit("memory.max"), Some(1 << 30));
        assert_eq!(limit("pids.max"), Some(512));
        assert_eq!(limit("memory.high"), None);
        assert_eq!(least("0::/\n", root.path(), "pids.max"), Some(4096));
        assert_eq!(least("4:memory:/old\n", root.path(), "memory.max"), None);
        std::fs::create_dir_all(root.path().join("pids/old")).unwrap();
        std::fs::write(root.path().join("pids/old/pids.max"), "100\n").unwrap();
        assert_eq!(least("7:pids:/old\n0::/\n", root.path(), "pids.max"), Some(100));
        assert_eq!(least("7:pids:/old\n0::/\n", root.path(), "memory.max"), None);
    }
}
