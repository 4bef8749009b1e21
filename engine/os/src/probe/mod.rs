//! What the machine offers: filesystems, their ways of writing, and the drives below them.

mod append_mode;
mod block_device;
mod mount;

pub use append_mode::{AppendAdvice, Writes, append_mode};
pub use block_device::scheduler;
pub use mount::{Device, Mount, same_filesystem};
