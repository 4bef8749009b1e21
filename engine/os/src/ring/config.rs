use std::sync::Arc;
use std::time::Duration;

use logtank_engine::metrics::ShardMetrics;
use logtank_engine::room::Ledger;
use logtank_engine::sequencer::Sequencer;

use crate::append_signal::ShardSignal;
use crate::mailbox::Mailbox;
use crate::tls::TlsConfig;

/// How frames reach the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WritePath {
    /// As operations of the ring: several under way, and the thread goes on meanwhile. For direct I/O.
    Ring,
    /// By pwrite on the shard's thread, page by page whole. For writes through the page cache: a copy is sooner done
    /// than handed to a worker, and only writes in strict order may fill their last pages up.
    Inline,
}

/// How a shard's ring is set up.
#[derive(Clone, Debug)]
pub struct RingConfig {
    /// How frames reach the file.
    pub write_path: WritePath,
    /// Poll for this long before sleeping: latency for processor time.
    pub busy_poll: Duration,
    /// Bytes of each buffer that the kernel may receive into.
    pub receive_buffer_bytes: usize,
    /// How many there are; a power of two, at most 32,768. All connections share them, so this bounds what can have
    /// been received and not yet looked at.
    pub receive_buffers: u16,
    /// How connections are encrypted; `None`: not at all.
    pub tls: Option<TlsConfig>,
}

impl Default for RingConfig {
    fn default() -> Self {
        Self {
            write_path: WritePath::Inline,
            busy_poll: Duration::ZERO,
            receive_buffer_bytes: 32 * 1024,
            receive_buffers: 128,
            tls: None,
        }
    }
}

/// What a shard shares with the rest of the host.
#[derive(Clone, Debug)]
pub struct ShardLinks {
    /// The host's positions.
    pub sequencer: Arc<Sequencer>,
    /// What the host has received and not dealt.
    pub ledger: Arc<Ledger>,
    /// This shard's numbers.
    pub metrics: Arc<ShardMetrics>,
    /// This shard's mail.
    pub mailbox: Mailbox,
    /// The other shards' mail: they are woken when this one closes an epoch.
    pub peers: Vec<Mailbox>,
    /// Where the background learns how appends fare.
    pub signal: Option<ShardSignal>,
}

/// What the kernel granted, for the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RingReport {
    /// Completions are delivered only when the thread asks (`DEFER_TASKRUN`).
    pub deferred: bool,
    /// The ring's own descriptor is registered.
    pub registered_ring: bool,
    /// Frames' buffers are registered (for direct writes by the ring; needs lockable memory).
    pub registered_buffers: bool,
    /// Connections that there is room for; fewer than configured where the limit of open files is low.
    pub connections_max: usize,
}

/// Why a shard ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShardExit {
    /// It was shut down; everything is durable and answered.
    Done,
    /// The log can't be written; the process must stop, with what is said here.
    Fatal(String),
}
