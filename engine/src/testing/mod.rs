//! For tests of this crate and of those above it: a disk in memory, one that does something before each call, and a clock
//! set by hand. (The disk that lies is the simulation's; [`MemDisk`] forgets, and fails when it is told to.)

mod choices;
mod clock;
mod hooked;
mod mem_disk;
mod raw_epoch;
mod run;
mod store;

pub use choices::Choices;
pub use clock::ManualClock;
pub use hooked::{Hooked, HookedFile, Stepped};
pub use mem_disk::{Cut, MemDisk, MemFile};
pub use raw_epoch::{RawEpoch, raw_record};
pub use run::run;
pub use store::store;
