//! The background's way to files: [`UringDisk`] implements the engine's port over tokio-uring.
//!
//! What io_uring can do goes through the ring of the background thread; what it can't (listing a folder,
//! truncating, syncing a filesystem, room left) goes to a helper thread of the same low priority. Long
//! transfers ask the governor first, so that appends of the shards don't wait behind them.

mod background;
mod batch;
mod blocking;
mod direct;
mod filesystems;
mod listing;
mod retry;
mod throttle;
mod transfer;
mod uring_disk;
mod uring_file;
mod window;

pub use background::block_on;
pub use throttle::Throttle;
pub use uring_disk::UringDisk;
pub use uring_file::UringFile;
pub use window::Window;
