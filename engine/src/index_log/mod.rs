//! One index: its segments, what follows what, and how they are merged.

pub(crate) mod chain;
pub(crate) mod counts;
pub(crate) mod docid;
pub(crate) mod foreign;
pub(crate) mod index_store;
pub(crate) mod kway;
pub(crate) mod merge;
pub(crate) mod record;
pub(crate) mod repair;
pub(crate) mod runs;
pub(crate) mod segment_reader;
pub(crate) mod segment_writer;
pub(crate) mod sidecar_file;
pub(crate) mod verify;

#[cfg(test)]
mod tests;

pub use foreign::foreign_indexes;
pub use index_store::{Bounds, IndexStore};
pub use record::Record;
pub use repair::repair_index;
pub use segment_reader::OpenSegment;
pub use sidecar_file::load as load_sidecar;
pub use sidecar_file::{SidecarOrigin, rebuild_sidecar};
pub use verify::verify_index;
