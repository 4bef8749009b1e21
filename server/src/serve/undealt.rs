//! What dealing everything that was received will take of the raw log's drive.

use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use logtank_engine::jobs::shared::Shared;

use super::Tree;

/// What dealing will take of the raw log's drive. Clones look at the same.
#[derive(Clone, Debug)]
pub(super) struct Undealt {
    background: Arc<Shared>,
    /// The indexes are on the same filesystem.
    same: bool,
}

impl Undealt {
    pub(super) fn new(tree: &Tree, background: Arc<Shared>) -> Self {
        let device = |path| std::fs::metadata(path).ok().map(|metadata| metadata.dev());
        let same = device(tree.layout.raw()) == device(tree.layout.data());
        Self { background, same }
    }

    /// In bytes, as of the last look; 0 if the indexes are on another drive.
    pub(super) fn on_raw_drive(&self) -> u64 {
        if self.same { self.background.stats.needed_bytes.get() } else { 0 }
    }
}
