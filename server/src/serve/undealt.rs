//! What dealing everything that was received will take of the raw log's drive.

use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Mutex};

use logtank_engine::jobs::shared::Shared;
use logtank_engine::metrics::ShardMetrics;

use super::Tree;
use super::shards::Shard;

/// What dealing will take of the raw log's drive. Clones look at the same.
#[derive(Clone, Debug)]
pub(super) struct Undealt(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    background: Arc<Shared>,
    shards: Vec<Arc<ShardMetrics>>,
    /// The indexes are on the same filesystem.
    same: bool,
    seen: Mutex<Seen>,
}

/// The last look at what waits, and what had been written by then.
#[derive(Debug, Default)]
struct Seen {
    looks: u64,
    written: u64,
}

impl Undealt {
    pub(super) fn new(tree: &Tree, background: Arc<Shared>, shards: &[Shard]) -> Self {
        let device = |path| std::fs::metadata(path).ok().map(|metadata| metadata.dev());
        let same = device(tree.layout.raw()) == device(tree.layout.data());
        let shards = shards.iter().map(|shard| shard.metrics.clone()).collect();
        Self(Arc::new(Inner { background, shards, same, seen: Mutex::default() }))
    }

    /// In bytes; 0 if the indexes are on another drive. Whoever deals looks before each epoch, which may take long, so what
    /// was written since is counted, too.
    pub(super) fn on_raw_drive(&self) -> u64 {
        let Inner { background, shards, same, seen } = &*self.0;
        if !same {
            return 0;
        }
        let stats = &background.stats;
        let written: u64 = shards.iter().map(|shard| shard.frame_bytes.get()).sum();
        let mut seen = seen.lock().expect("nobody panics while holding it");
        let looks = stats.looks.get();
        if looks != seen.looks {
            *seen = Seen { looks, written };
        }
        stats.needed_bytes.get() + written.saturating_sub(seen.written)
    }
}
