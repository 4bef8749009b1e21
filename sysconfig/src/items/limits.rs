//! What a process may open and lock: of the host that runs on the data directory if there is one, else of this process.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::System;
use crate::report::Item;

const OPEN_FILES_MIN: u64 = 65_536;
const LOCKED_BYTES_MIN: u64 = 128 << 20;

/// Files of a data directory that a host locks, and in which it leaves its process id.
const LOCKS: [&str; 2] = ["writer.lock", "dealer.lock"];

pub(super) fn items(system: &System, data: &Path) -> Vec<Item> {
    let hosts = running_hosts(system, data);
    let sources: Vec<(String, String)> = if hosts.is_empty() {
        let whose = format!("of this process: no host is known to run on {}", data.display());
        vec![(whose, "/proc/self/limits".to_owned())]
    } else {
        let of = |host| (format!("of the running host, process {host}"), format!("/proc/{host}/limits"));
        hosts.into_iter().map(of).collect()
    };
    let open_files = (
        "open files",
        "Max open files",
        OPEN_FILES_MIN,
        "Each connection is a descriptor, and so is each segment that is being merged.",
        "LimitNOFILE=262144 in the systemd unit (the shipped one has it), or ulimit -Hn",
    );
    let locked = (
        "locked memory",
        "Max locked memory",
        LOCKED_BYTES_MIN,
        "Buffers of rings are registered, which locks them in memory; without, each append costs a tenth more.",
        "LimitMEMLOCK=512M in the systemd unit (the shipped one has it), or ulimit -Hl",
    );
    let item = |(name, label, least, why, how): (&str, &str, u64, &str, &str)| {
        let wanted = format!("at least {least}");
        let found: Result<Vec<_>, String> = sources
            .iter()
            .map(|(whose, path)| limit(system, path, label).map(|(value, text)| (value, text, whose)))
            .collect();
        // Of a writer and what owns the indexes, in two processes, the one that may less.
        match found.map(|found| found.into_iter().min_by_key(|(value, ..)| *value)) {
            Ok(Some((value, text, whose))) => {
                Item::new(name, value >= least, format!("{text} ({whose})"), wanted, why).by_hand(how)
            }
            Ok(None) => Item::unknown(name, "no process to ask", wanted, why),
            Err(error) => Item::unknown(name, error, wanted, why),
        }
    };
    vec![item(open_files), item(locked)]
}

/// The hard limit in one line of a process's limits, as a number and as it is written there.
fn limit(system: &System, path: &str, label: &str) -> Result<(u64, String), String> {
    let text = system.read(path).map_err(|error| error.to_string())?;
    let line = text.lines().find_map(|line| line.strip_prefix(label));
    let hard = line.and_then(|line| line.split_ascii_whitespace().nth(1));
    let value = hard.and_then(|hard| if hard == "unlimited" { Some(u64::MAX) } else { hard.parse().ok() });
    value.zip(hard.map(str::to_owned)).ok_or_else(|| format!("{path} has no such line"))
}

/// Processes that hold the locks of the data directory. The lock's file stays when its host ends, so its number may be
/// another process's by now, or one of another container's.
fn running_hosts(system: &System, data: &Path) -> Vec<u32> {
    let mut hosts = Vec::new();
    for lock in LOCKS {
        let path = data.join(lock);
        let Some(process) = system.number(&path).ok().and_then(|number| u32::try_from(number).ok()) else {
            continue;
        };
        if !hosts.contains(&process) && serves(system, process) && has_open(system, process, &path) {
            hosts.push(process);
        }
    }
    hosts
}

fn serves(system: &System, process: u32) -> bool {
    let line = system.read(format!("/proc/{process}/cmdline")).unwrap_or_default();
    let mut words = line.split('\0');
    let program = words.next().and_then(|path| path.rsplit('/').next());
    program == Some("logtank") && words.next() == Some("serve")
}

/// Whether it has the file open; `true` where this user may not see that.
fn has_open(system: &System, process: u32, path: &Path) -> bool {
    let descriptors = PathBuf::from(format!("/proc/{process}/fd"));
    let Ok(entries) = fs::read_dir(system.real(&descriptors)) else { return true };
    let Ok(wanted) = fs::metadata(system.real(path)) else { return false };
    let mut open = entries.filter_map(|entry| fs::metadata(entry.ok()?.path()).ok());
    open.any(|found| (found.dev(), found.ino()) == (wanted.dev(), wanted.ino()))
}
