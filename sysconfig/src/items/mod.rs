//! What is looked at, one file for each kind of thing.

mod clock;
mod filesystem;
mod interrupts;
mod io_uring;
mod kept;
mod limits;
mod memory;
mod processors;
mod queue;
mod scheduler;
mod sharing;
mod space;
mod speed;
mod write_cache;

use crate::{Drive, Measured, Mounts, Place, Report, System};

/// What is to be inspected.
#[derive(Debug)]
pub struct Subject<'s> {
    /// The machine.
    pub system: &'s System,
    /// Where the raw log is or will be.
    pub raw: Place,
    /// Where the indexes are or will be.
    pub data: Place,
    /// What was measured in the raw log's folder, if anything was.
    pub measured: Option<Measured>,
    /// Whether a ring can be made by this process, with the reason if not; `None` if that was not tried.
    pub io_uring: Option<Result<(), String>>,
}

/// Looks at everything. Never fails: what can't be found out is an item that says so.
#[must_use]
pub fn inspect(subject: &Subject<'_>) -> Report {
    let system = subject.system;
    let mut items = Vec::new();
    let mounts = Mounts::read(system).unwrap_or_default();
    let raw_mount = mounts.by_id(subject.raw.mount_id);
    let drives = raw_mount.map(|mount| Drive::below(system, mount)).unwrap_or_default();
    if drives.is_empty() {
        items.push(scheduler::no_drive(&subject.raw, raw_mount));
    }
    for drive in &drives {
        items.extend(scheduler::items(system, drive, subject.measured.as_ref()));
        items.push(queue::read_ahead(system, drive));
        items.extend(write_cache::items(system, drive));
        items.push(kept::item(system, drive));
        items.push(interrupts::item(system, drive));
    }
    items.extend(filesystem::items(&subject.raw, raw_mount));
    items.extend(space::items(&subject.raw, &subject.data));
    items.push(sharing::item(system, subject, &mounts, &drives));
    items.extend(speed::items(subject.measured.as_ref()));
    items.extend(limits::items(system, &subject.data.folder));
    items.extend(io_uring::items(system, &subject.data.folder, subject.io_uring.as_ref()));
    items.extend(processors::items(system));
    items.extend(memory::items(system));
    items.push(clock::item(system));
    Report { items }
}
