use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why the host can't run here: what — why — what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartupError {
    /// The kernel does not know io_uring.
    #[error("io_uring is missing — this kernel is too old or was built without it — use Linux 6.1 or later")]
    IoUringMissing,
    /// The kernel's io_uring is too old.
    #[error("io_uring lacks {feature} — this kernel is too old for it — use Linux 6.1 or later")]
    IoUringLacks {
        /// What is missing.
        feature: &'static str,
    },
    /// Switched off for all.
    #[error(
        "io_uring is refused — it is switched off on this machine (kernel.io_uring_disabled is 2) — set \
         kernel.io_uring_group to a group of this user, then kernel.io_uring_disabled to 1 (sysctl -w, and in \
         /etc/sysctl.d/ to keep it); 0 would open it to every user"
    )]
    IoUringDisabled,
    /// Switched off for those without privileges.
    #[error(
        "io_uring is refused — only members of the group {group} may use it (kernel.io_uring_disabled is 1, \
         kernel.io_uring_group is {group}) — set kernel.io_uring_group to a group of this user, or \
         kernel.io_uring_disabled to 0 (sysctl -w, and in /etc/sysctl.d/ to keep it)"
    )]
    IoUringForGroup {
        /// Its number; -1 is none.
        group: i64,
    },
    /// Forbidden although the machine's settings allow it.
    #[error(
        "io_uring is refused — the sandbox around this process forbids it (Docker and containerd do by default) — \
         allow the system calls io_uring_setup, io_uring_enter and io_uring_register: in a container by a seccomp \
         profile that lists them (docker run --security-opt seccomp=FILE), under systemd by adding @aio to \
         SystemCallFilter="
    )]
    IoUringForbidden,
    /// Anything else that came from making a ring.
    #[error("io_uring can't be set up: {source} — see the kernel's log")]
    IoUringFailed {
        /// The system's answer.
        source: io::Error,
    },
    /// Registered buffers don't fit. The host can run without them, a little slower.
    #[error(
        "buffers can't be registered — {wanted_bytes} bytes of them exceed the {limit_bytes} bytes of memory that \
         this user may lock — raise the limit (LimitMEMLOCK= in the systemd unit, ulimit -l) or grant CAP_IPC_LOCK; \
         without registered buffers the host runs a little slower"
    )]
    LockedMemory {
        /// What was asked for.
        wanted_bytes: u64,
        /// The user's limit, over all processes of the user.
        limit_bytes: u64,
    },
    /// A folder is not there.
    #[error("{} is not there — create it, or name another folder", path.display())]
    FolderMissing {
        /// The folder.
        path: PathBuf,
    },
    /// A folder is not there, and neither is the one above it.
    #[error(
        "{} can't be created — the folder above it is not there either — is the name right, and the drive mounted? If \
         so, create {}", path.display(), above.display()
    )]
    ParentMissing {
        /// The folder.
        path: PathBuf,
        /// The one above it.
        above: PathBuf,
    },
    /// A drive is not mounted.
    #[error(
        "{} is on a drive that is not mounted — /etc/fstab lists {} as a mount point, and nothing is mounted there — \
         mount it: mount {1}. If it is no mount point any more, remove its line from /etc/fstab",
         path.display(), mount_point.display()
    )]
    NotMounted {
        /// The folder.
        path: PathBuf,
        /// Where the drive belongs.
        mount_point: PathBuf,
    },
    /// Not a folder.
    #[error("{} can't be used — it is not a folder — name another one", path.display())]
    NotAFolder {
        /// What is there.
        path: PathBuf,
    },
    /// A link to nothing.
    #[error(
        "{} is a link that leads nowhere — mount the drive that it leads to, or make it lead to where the folder is now",
        path.display()
    )]
    LinkToNothing {
        /// The link.
        path: PathBuf,
    },
    /// This user can't write there.
    #[error(
        "{} can't be written — it belongs to user {owner}, and this process runs as user {user} ({source}) — \
         run as that user, or change the owner: chown -R {user} {0}", path.display()
    )]
    NotWritable {
        /// The folder.
        path: PathBuf,
        /// Number of the user that owns it.
        owner: u32,
        /// Number of the user of this process.
        user: u32,
        /// The system's answer.
        source: io::Error,
    },
    /// Root would leave files that the owner can't use.
    #[error(
        "{} belongs to user {owner}, and this process runs as root — what root creates there the owner can't write \
         later — run as user {owner} (systemd: User=; by hand: setpriv --reuid {owner}), or make root the owner",
         path.display()
    )]
    OtherOwner {
        /// The folder.
        path: PathBuf,
        /// Number of the user that owns it.
        owner: u32,
    },
    /// The filesystem is read-only.
    #[error(
        "{} can't be written — its filesystem is read-only — mount it read-write; if it became so by itself, the \
         kernel's log says why", path.display()
    )]
    ReadOnly {
        /// The folder.
        path: PathBuf,
    },
    /// Renames between two folders are impossible.
    #[error(
        "{} and {} are on different filesystems or mounts — a file gets from one to the other by a rename — mount \
         the drive above both of them", one.display(), other.display()
    )]
    TwoFilesystems {
        /// One folder.
        one: PathBuf,
        /// The other folder.
        other: PathBuf,
    },
    /// Too few descriptors.
    #[error(
        "{wanted} open files are needed — this process may have {limit} — raise the limit (LimitNOFILE= in the \
         systemd unit, ulimit -Hn), or lower connections_max and open_files_max, which they are for"
    )]
    OpenFiles {
        /// How many are needed.
        wanted: u64,
        /// The hard limit.
        limit: u64,
    },
    /// The port is taken.
    #[error(
        "{address} can't be listened on — another process has it — stop that one (ss -ltnp names it), or choose \
         another port"
    )]
    PortTaken {
        /// The address.
        address: SocketAddr,
    },
    /// The address can't be bound for another reason.
    #[error("{address} can't be listened on — {source} — {}", port_advice(source, *address))]
    Port {
        /// The address.
        address: SocketAddr,
        /// The system's answer.
        source: io::Error,
    },
    /// A check failed for a reason of its own.
    #[error("{what} — {source}")]
    Failed {
        /// What was being done.
        what: String,
        /// The system's answer.
        source: io::Error,
    },
}

impl StartupError {
    /// Whether the folders are not there or not this user's: wrong names, drives that are not mounted, a wrong user. Trying
    /// again does not help.
    #[must_use]
    pub const fn is_about_folders(&self) -> bool {
        matches!(
            self,
            Self::FolderMissing { .. }
                | Self::ParentMissing { .. }
                | Self::NotMounted { .. }
                | Self::NotAFolder { .. }
                | Self::LinkToNothing { .. }
                | Self::TwoFilesystems { .. }
                | Self::OtherOwner { .. }
        )
    }
}

fn port_advice(source: &io::Error, address: SocketAddr) -> &'static str {
    match source.kind() {
        io::ErrorKind::PermissionDenied if address.port() < 1024 => {
            "choose a port from 1024 on, or grant CAP_NET_BIND_SERVICE"
        }
        io::ErrorKind::AddrNotAvailable => "choose an address that this machine has (ip address lists them)",
        _ => "choose another address or port",
    }
}
