//! Deliberate bugs, each of which the simulation must catch.

use std::path::Path;

use logtank_engine::format::is_temporary;
use logtank_engine::mutant::Mutant as Switch;

/// A deliberate bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// The engine does something else.
    Engine(Switch),
    /// The drive does not do what the engine asks for: as if the engine had not asked.
    Drive(Tamper),
}

/// One thing that the engine asks for, left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tamper {
    /// raw/live/ is not synced: segments in use may have no name.
    LiveFolderNotSynced,
    /// Folders of indexes are not synced before the raw log is archived.
    IndexFoldersNotSynced,
    /// Segments of indexes are renamed without having been synced.
    SegmentsNotSynced,
    /// A sorted segment's name is not synced before its inputs are removed.
    SortNotSynced,
    /// An optimized segment's name is not synced before its inputs are removed.
    OptimizeNotSynced,
    /// The checkpoint's name is not synced before the raw log is archived.
    CheckpointNotSynced,
    /// A deletion's name is not synced before it is answered.
    DeletionNotSynced,
    /// The first dealing after a start trusts what is visible.
    StartNotSynced,
    /// Raw segments are sealed by recovery, and made ready, without being synced.
    RecoveryNotSynced,
    /// What is to be read from the drive is read from the page cache.
    CacheTrusted,
    /// A write counts as done when it is begun.
    WriteNotAwaited,
    /// An fdatasync counts as done when it is begun.
    SyncNotAwaited,
    /// An fdatasync that failed is asked again, and believed.
    SyncRetried,
    /// A short write counts as whole.
    ShortWriteTaken,
    /// A write that failed counts as done.
    WriteErrorIgnored,
    /// A write that is to be durable in itself is only written.
    DurableWriteForgotten,
}

impl Tamper {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::LiveFolderNotSynced,
        Self::IndexFoldersNotSynced,
        Self::SegmentsNotSynced,
        Self::SortNotSynced,
        Self::OptimizeNotSynced,
        Self::CheckpointNotSynced,
        Self::DeletionNotSynced,
        Self::StartNotSynced,
        Self::RecoveryNotSynced,
        Self::CacheTrusted,
        Self::WriteNotAwaited,
        Self::SyncNotAwaited,
        Self::SyncRetried,
        Self::ShortWriteTaken,
        Self::WriteErrorIgnored,
        Self::DurableWriteForgotten,
    ];
}

impl Mutant {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        Tamper::ALL.into_iter().map(Self::Drive).chain(Switch::SIMULATED.into_iter().map(Self::Engine))
    }

    /// Its name, as the command line has it.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Engine(switch) => format!("{switch:?}"),
            Self::Drive(tamper) => format!("{tamper:?}"),
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::all().find(|mutant| mutant.name() == name)
    }

    /// Puts the bug in force on this thread, until what is returned is dropped.
    #[must_use]
    pub(crate) fn throw(self) -> Thrown {
        #[cfg(feature = "mutants")]
        if let Self::Engine(switch) = self {
            logtank_engine::mutant::throw(Some(switch));
        }
        Thrown
    }

    pub(crate) const fn tampering(self) -> Tampering {
        match self {
            Self::Engine(_) => Tampering(None),
            Self::Drive(tamper) => Tampering(Some(tamper)),
        }
    }
}

/// A bug in force.
pub(crate) struct Thrown;

impl Drop for Thrown {
    fn drop(&mut self) {
        #[cfg(feature = "mutants")]
        logtank_engine::mutant::throw(None);
    }
}

/// What the drive leaves out, if anything.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tampering(Option<Tamper>);

impl Tampering {
    pub(crate) fn is(self, tamper: Tamper) -> bool {
        self.0 == Some(tamper)
    }

    pub(crate) fn reads_through_the_cache(self) -> bool {
        self.is(Tamper::CacheTrusted)
    }

    /// `sorted` tells whether the folder holds a sorted segment.
    pub(crate) fn skips_folder_sync(self, folder: &Path, sorted: impl FnOnce() -> bool) -> bool {
        match self.0 {
            Some(Tamper::LiveFolderNotSynced) => folder.ends_with("raw/live"),
            Some(Tamper::IndexFoldersNotSynced) => folder.starts_with("/data/indexes"),
            Some(Tamper::SortNotSynced) => folder.ends_with("segments") && sorted(),
            Some(Tamper::OptimizeNotSynced) => folder.ends_with("optimized"),
            Some(Tamper::CheckpointNotSynced) => folder == Path::new("/data"),
            Some(Tamper::DeletionNotSynced) => folder.ends_with("deletions"),
            _ => false,
        }
    }

    pub(crate) fn skips_filesystem_sync(self) -> bool {
        let left_out = [
            Tamper::StartNotSynced,
            Tamper::IndexFoldersNotSynced,
            Tamper::CheckpointNotSynced,
            Tamper::SortNotSynced,
            Tamper::OptimizeNotSynced,
            Tamper::SegmentsNotSynced,
        ];
        left_out.into_iter().any(|tamper| self.is(tamper))
    }

    pub(crate) fn skips_sync(self, path: &Path) -> bool {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        match self.0 {
            Some(Tamper::SegmentsNotSynced) => path.starts_with("/data/indexes") && is_temporary(&name),
            Some(Tamper::RecoveryNotSynced) => path.starts_with("/data/raw/live"),
            _ => false,
        }
    }
}
