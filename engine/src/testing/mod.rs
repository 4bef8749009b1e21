//! For tests of this crate and of those above it: a disk in memory without faults, and a clock set by hand.
//! (The disk that lies is the simulation's; [`PowerDisk`] only forgets.)

mod clock;
mod hook_disk;
mod mem_disk;
mod power_disk;
mod raw_epoch;
mod run;
mod step_disk;
mod store;

pub use clock::ManualClock;
pub use hook_disk::{HookDisk, HookFile};
pub use mem_disk::{MemDisk, MemFile};
pub use power_disk::{PowerDisk, PowerFile};
pub use raw_epoch::{RawEpoch, raw_record};
pub use run::run;
pub use step_disk::{StepDisk, StepFile, Stepped};
pub use store::store;
