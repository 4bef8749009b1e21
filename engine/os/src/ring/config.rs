use std::time::Duration;

/// How frames reach the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WritePath {
    /// As operations of the ring: where the filesystem completes them without a worker thread (direct I/O on most,
    /// buffered on XFS).
    Ring,
    /// By pwrite on the shard's thread: where the ring would hand every write to a worker (buffered on ext4).
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
    /// How many there are; a power of two.
    pub receive_buffers: u16,
    /// Connections at once; at least the shard's own limit.
    pub connections_max: usize,
}

impl Default for RingConfig {
    fn default() -> Self {
        Self {
            write_path: WritePath::Inline,
            busy_poll: Duration::ZERO,
            receive_buffer_bytes: 32 * 1024,
            receive_buffers: 256,
            connections_max: 16_384,
        }
    }
}

/// What the kernel granted, for the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RingReport {
    /// Completions are delivered only when the thread asks (`DEFER_TASKRUN`).
    pub deferred: bool,
    /// The ring's own descriptor is registered.
    pub registered_ring: bool,
}

/// Why a shard ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShardExit {
    /// It was shut down; everything is durable and answered.
    Done,
    /// The log can't be written; the process must stop.
    Fatal(String),
}
