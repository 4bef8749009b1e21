use std::fmt;

/// What was asked of the filesystem. Its text is how errors name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// Reserve a file's blocks.
    Allocate,
    /// Create a file.
    Create,
    /// Make a file's bytes and its length durable.
    Fdatasync,
    /// Make a folder's names durable, or a file with all that is known about it.
    Fsync,
    /// Give a file a second name.
    Link,
    /// List a folder.
    List,
    /// Find free space for what a job writes into a folder.
    MakeRoomFor,
    /// Find free space on the drive of a folder.
    MakeRoomOn,
    /// Create a folder.
    Mkdir,
    /// Open a file or a folder.
    Open,
    /// Read a file.
    Read,
    /// Rename a file or a folder.
    Rename,
    /// Write again what the drive may have lost.
    Restore,
    /// Remove a folder.
    Rmdir,
    /// Go through the frames of a raw segment.
    Scan,
    /// Look at a file's metadata.
    Stat,
    /// Look at a filesystem's free space.
    Statfs,
    /// Make everything on a filesystem durable.
    Syncfs,
    /// Set a file's time.
    Touch,
    /// Set a file's length.
    Truncate,
    /// Remove a file.
    Unlink,
    /// Write a file.
    Write,
}

impl Verb {
    /// Whether it makes something durable. Once that has failed, nothing is known of what was written before it.
    #[must_use]
    pub const fn is_sync(self) -> bool {
        matches!(self, Self::Fdatasync | Self::Fsync | Self::Syncfs)
    }

    /// As errors name it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allocate => "allocate",
            Self::Create => "create",
            Self::Fdatasync => "fdatasync",
            Self::Fsync => "fsync",
            Self::Link => "link",
            Self::List => "list",
            Self::MakeRoomFor => "make room for",
            Self::MakeRoomOn => "make room on",
            Self::Mkdir => "mkdir",
            Self::Open => "open",
            Self::Read => "read",
            Self::Rename => "rename",
            Self::Restore => "restore",
            Self::Rmdir => "rmdir",
            Self::Scan => "scan",
            Self::Stat => "stat",
            Self::Statfs => "statfs",
            Self::Syncfs => "syncfs",
            Self::Touch => "touch",
            Self::Truncate => "truncate",
            Self::Unlink => "unlink",
            Self::Write => "write",
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
