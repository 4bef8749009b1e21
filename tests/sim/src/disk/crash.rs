//! What a crash may leave.

/// What a power cut leaves of names that were not made durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetadataModel {
    /// A beginning of the journal; an fsync of any folder makes all before it durable. As ext4 and XFS do.
    Journal,
    /// Any part; only what was done in the synced folder is durable. As POSIX allows.
    Posix,
}

/// What a power cut leaves of what was written and not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CutPolicy {
    /// Nothing.
    DropAll,
    /// Everything.
    KeepAll,
    /// The first writes of each file.
    Prefix,
    /// Any writes.
    Subset,
    /// Any sectors.
    Torn,
}

impl CutPolicy {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::DropAll, Self::KeepAll, Self::Prefix, Self::Subset, Self::Torn];
}
