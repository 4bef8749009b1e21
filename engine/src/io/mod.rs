//! How the engine speaks of files: buffers, and the port to the filesystem.

pub mod buffers;
pub mod disk;
pub mod in_flight;
pub mod op;
