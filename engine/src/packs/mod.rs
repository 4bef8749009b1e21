//! Many small indexes in one file: packs, of which each holds the records of a stretch of the raw log, grouped by index.

pub(crate) mod cursor;
mod group;
pub(crate) mod open_pack;
mod pack_file;
pub(crate) mod slice;
pub(crate) mod stack;
pub(crate) mod verify;
pub(crate) mod verify_folder;
mod walk;
pub(crate) mod writer;

#[cfg(test)]
mod tests;

pub use cursor::Cursor;
pub use open_pack::OpenPack;
pub use slice::OpenSlice;
pub use stack::Stack;
pub use verify::verify_pack;
pub use verify_folder::verify_packs;
pub use writer::{NewSlice, PackWriter};
