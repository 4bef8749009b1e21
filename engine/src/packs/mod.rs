//! Many small indexes in one file: packs, of which each holds the records of a stretch of the raw log, grouped by index.

pub mod cursor;
mod group;
pub mod open_pack;
mod pack_file;
pub mod slice;
pub mod stack;
pub mod verify;
pub mod verify_folder;
mod walk;
pub mod writer;

#[cfg(test)]
mod tests;
