//! A drive to break: its bytes live in memory, the kernel reaches it through FUSE and a loop device, and a
//! filesystem on it is a real one.
//!
//! Every write and every flush is recorded. From one recording any number of power cuts can be made: at each point
//! of it, with the writes that no flush covers dropped, kept in part, or torn at a sector. It also fails and stalls
//! on demand.
#![forbid(unsafe_code)]

mod command;
mod cut;
mod drive;
mod faults;
mod filesystem;
mod mounted;
mod recording;
mod store;

pub use cut::{Cuts, Survivors};
pub use drive::{Drive, Recorder};
pub use faults::{Effect, Operation, Rule};
pub use mounted::{Filesystem, Mounted};
pub use recording::{Event, Recording, Written};
pub use store::{SECTOR_BYTES, Store};
