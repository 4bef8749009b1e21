//! Limits of the control group that this process is in, and of those above it.

use std::path::Path;

/// The least value that `name` ("memory.max", "pids.max") has from the group of this process up to the root; `None` if
/// nothing is limited, or there are no groups of the second version.
pub(super) fn limit(name: &str) -> Option<u64> {
    let own = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    least(&own, Path::new("/sys/fs/cgroup"), name)
}

fn least(own: &str, root: &Path, name: &str) -> Option<u64> {
    let group = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
    Path::new(group)
        .ancestors()
        .filter_map(|group| std::fs::read_to_string(root.join(group).join(name)).ok())
        .filter_map(|text| text.trim().parse().ok())
        .min()
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
    }
}
