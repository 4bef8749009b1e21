//! Checks at the start that say plainly why the host can't run here, and what to do about it.
//!
//! Each tests the thing itself, not a version number: distributions change kernels, containers change what they let
//! through. Where a setting explains a refusal it is named.

mod folders;
mod io_uring;
mod locked_memory;
mod mounted;
mod open_files;
mod port;
mod secrecy;
mod startup_error;

pub use folders::{Folder, check_folder, check_one_filesystem, check_owner, check_readable_folder};
pub use io_uring::check_io_uring;
pub use locked_memory::check_registered_bytes;
pub use mounted::check_mounted;
pub use open_files::raise_open_files;
pub use port::bind_patiently;
pub use secrecy::{exposed_mode, keep_files_private, reached_by_others, runs_as_root};
pub use startup_error::StartupError;
