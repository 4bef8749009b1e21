//! A start that fails for want of what a limit keeps from it: which limit, how much it allows, how much is needed.

use std::fmt::Write;

use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

use super::control_group;

/// Locked memory of rings, as measured, rounded up: those of the background, and those of each shard.
const LOCKED_BYTES: u64 = 1 << 20;
/// Threads of a host beside its shards', with those that the kernel adds for a ring; and for each shard.
const THREADS: u64 = 40;
const THREADS_OF_SHARD: u64 = 6;

/// What a host needs of what can be limited.
#[derive(Clone, Copy, Debug)]
pub(super) struct Needs {
    pub(super) shards: u64,
    pub(super) open_files: u64,
}

impl Needs {
    const fn locked_bytes(self) -> u64 {
        (self.shards + 1) * LOCKED_BYTES
    }

    const fn threads(self) -> u64 {
        THREADS + self.shards * THREADS_OF_SHARD
    }
}

/// What to do about this error, if it is one of a limit.
pub(super) fn advice(error: &anyhow::Error, needs: Needs) -> Option<String> {
    let of_system = |cause: &(dyn std::error::Error + 'static)| {
        Errno::from_io_error(cause.downcast_ref::<std::io::Error>()?)
    };
    let errno = error.chain().find_map(of_system)?;
    Some(match errno {
        Errno::NOMEM => of_memory(needs),
        // The second: io_uring gives up an operation for which it can't start a thread.
        Errno::AGAIN | Errno::CANCELED => of_threads(needs),
        Errno::MFILE => format!(
            "this process may have {} open files, and a host needs {}: raise the limit (LimitNOFILE= in the systemd unit, \
             ulimit -n), or lower connections_max and open_files_max",
            shown(Resource::Nofile, 1, ""),
            needs.open_files
        ),
        Errno::NFILE => {
            "this machine has too many open files: raise fs.file-max (sysctl -w, and in /etc/sysctl.d/ to keep it)"
                .to_owned()
        }
        Errno::FBIG => format!(
            "a file may become {} long, and raw segments are longer: lift the limit (LimitFSIZE=infinity in the systemd \
             unit, ulimit -f unlimited)",
            shown(Resource::Fsize, 1 << 10, " KiB")
        ),
        _ => return None,
    })
}

fn of_memory(needs: Needs) -> String {
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    let locked = getrlimit(Resource::Memlock).current.unwrap_or(u64::MAX);
    let mut text = String::new();
    if locked < needs.locked_bytes() {
        let _ = write!(
            text,
            "rings lie in locked memory, of which this user may have {} KiB and a host needs {} MiB: raise the limit \
             (LimitMEMLOCK= in the systemd unit, ulimit -l {})",
            locked >> 10,
            mib(needs.locked_bytes()),
            needs.locked_bytes() >> 10
        );
    }
    let space = [(Resource::As, "LimitAS=", "ulimit -v"), (Resource::Data, "LimitDATA=", "ulimit -d")];
    for (resource, of_unit, of_shell) in space {
        if let Some(bytes) = getrlimit(resource).current {
            let then = if text.is_empty() { "" } else { "; and " };
            let _ = write!(
                text,
                "{then}this process may address {} MiB: lift that limit ({of_unit}infinity in the systemd unit, {of_shell} \
                 unlimited)",
                bytes >> 20
            );
        }
    }
    if text.is_empty() {
        let group = control_group::limit("memory.max");
        let group = group.map_or_else(String::new, |bytes| {
            format!(" (its control group may have {} MiB: MemoryMax= in the systemd unit)", bytes >> 20)
        });
        text = format!("there is too little memory for this process{group}");
    }
    text
}

fn of_threads(needs: Needs) -> String {
    let group = control_group::limit("pids.max");
    let group = group.map_or_else(|| "any number".to_owned(), |most| most.to_string());
    format!(
        "no more threads can be started: this user may have {} over all its processes (LimitNPROC= in the systemd unit, \
         ulimit -u), this control group {group} (TasksMax=), and a host needs about {}",
        shown(Resource::Nproc, 1, ""),
        needs.threads()
    )
}

/// The limit as it is now, in units of so many.
fn shown(resource: Resource, unit: u64, name: &str) -> String {
    let limit = getrlimit(resource).current;
    limit.map_or_else(|| "any number".to_owned(), |limit| format!("{}{name}", limit / unit))
}

#[cfg(test)]
mod tests {
    use std::io;

    use anyhow::Context;

    use super::*;

    #[test]
    fn an_error_of_a_limit_names_it_and_other_errors_do_not() {
        let needs = Needs { shards: 3, open_files: 17_920 };
        let said = |errno: Errno| {
            let error: io::Result<()> = Err(io::Error::from(errno));
            advice(&error.context("the ring").context("the start").unwrap_err(), needs).unwrap_or_default()
        };
        assert!(said(Errno::MFILE).contains("17920") && said(Errno::MFILE).contains("connections_max"));
        for errno in [Errno::AGAIN, Errno::CANCELED] {
            assert!(
                said(errno).contains("LimitNPROC=") && said(errno).contains("about 58"),
                "{}",
                said(errno)
            );
        }
        assert!(said(Errno::FBIG).contains("LimitFSIZE="));
        assert!(said(Errno::NFILE).contains("fs.file-max"));
        assert!(said(Errno::NOMEM).contains("memory"));
        assert_eq!(said(Errno::NOENT), "");
    }
}
