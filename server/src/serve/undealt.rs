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

/// The last look at what waits, and what had been written before it.
#[derive(Debug, Default)]
struct Seen {
    looks: u64,
    written: u64,
    /// When this was last asked.
    written_last: u64,
}

impl Undealt {
    pub(super) fn new(tree: &Tree, background: Arc<Shared>, shards: &[Shard]) -> Self {
        let device = |path| std::fs::metadata(path).ok().map(|metadata| metadata.dev());
        let same = device(tree.layout.raw()) == device(tree.layout.data());
        let shards = shards.iter().map(|shard| shard.metrics.clone()).collect();
        Self(Arc::new(Inner { background, shards, same, seen: Mutex::default() }))
    }

    /// In bytes; 0 if the indexes are on another drive. Whoever deals looks before each epoch, which may take long, so what
    /// was written since is counted, too. It was at some time since this was last asked, so that what has been written since
    /// then may be counted twice, and never not at all.
    pub(super) fn on_raw_drive(&self) -> u64 {
        let Inner { background, shards, same, seen } = &*self.0;
        if !same {
            return 0;
        }
        let stats = &background.stats;
        let written: u64 = shards.iter().map(|shard| shard.frame_bytes.get()).sum();
        let mut seen = seen.lock().expect("nobody panics while holding it");
        let looks = stats.looks.get();
        seen.update(looks, written);
        stats.needed_bytes.get() + written.saturating_sub(seen.written)
    }
}

impl Seen {
    fn update(&mut self, looks: u64, written: u64) {
        if looks != self.looks {
            (self.looks, self.written) = (looks, self.written_last);
        }
        self.written_last = written;
    }
}

#[cfg(test)]
mod tests {
    use super::Seen;

    #[test]
    fn what_was_written_since_before_the_last_look_counts() {
        let mut seen = Seen::default();
        let mut since = |looks, written: u64| {
            seen.update(looks, written);
            written - seen.written
        };
        assert_eq!([since(0, 10), since(0, 25)], [10, 25], "nobody has looked yet");
        assert_eq!([since(1, 40), since(1, 70)], [15, 45], "the look may have been when 25 were written");
        assert_eq!(since(3, 71), 1);
    }
}
