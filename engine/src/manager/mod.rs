//! The control plane: what `LogManager` answers. Nothing here creates anything, except a deletion.

mod error;
mod existing;
mod index_info;
mod optimization;
mod raw_info;
mod shared_pass;

pub use error::ManagerError;
pub use existing::list_existing_indexes;
pub use index_info::get_index_log_info;
pub use optimization::{delete_index, enqueue_for_optimization, get_optimization_queue};
pub use raw_info::get_raw_log_info;
pub use shared_pass::SharedPass;

#[cfg(test)]
mod tests;
