//! One index: its segments, what follows what, and how they are merged.

pub mod chain;
pub mod counts;
pub mod docid;
pub mod foreign;
pub mod index_store;
pub mod kway;
pub mod merge;
pub mod record;
pub mod repair;
pub mod runs;
pub mod segment_reader;
pub mod segment_writer;
pub mod sidecar_file;
pub mod verify;

#[cfg(test)]
mod tests;
