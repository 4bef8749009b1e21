//! What a machine must look like to hold LogTank's raw log: looks at it, says what is wanted and why, applies it,
//! and measures the drive. Knows nothing of the host itself; what it reads lies below a root, so that tests bring
//! a machine of their own.
#![deny(unsafe_code)]

mod apply;
mod drive;
mod error;
mod identity;
mod items;
mod measure;
mod mounts;
mod place;
mod report;
mod script;
mod system;
mod tuned;

pub use apply::{Applied, apply};
pub use drive::{Drive, DriveKind};
pub use error::{OtherDrive, TuneError};
pub use identity::{check_measured, identity};
pub use items::{Subject, inspect};
pub use measure::{Latency, Measured, Progress, measure};
pub use mounts::{Mount, Mounts};
pub use place::Place;
pub use report::{Fix, Item, Report, State};
pub use script::script;
pub use system::System;
pub use tuned::{MEASURED_DRIVE, Tuned, settings_file};
