//! Whether a flush reaches the drive: what the kernel believes of its cache against what the drive says.

use crate::report::Item;
use crate::{Drive, System};

pub(super) fn items(system: &System, drive: &Drive) -> Option<Item> {
    let name = format!("write cache of {}", drive.name);
    let why = "fdatasync makes the kernel flush the drive's cache, but only if it believes that there is one. If the \
               drive has one and the kernel was told otherwise, a power cut loses what was acknowledged as durable.";
    let path = drive.queue("write_cache");
    let believed = match system.read(&path) {
        Ok(believed) => believed,
        Err(error) => return Some(Item::unknown(name, error, "as the drive says", why)),
    };
    let said = says(system, drive);
    let wanted =
        said.clone().unwrap_or_else(|| "write back, or write through without a volatile cache".to_owned());
    // Flushing what needs no flush is only slow.
    let good = believed == "write back" || said.is_none_or(|said| said == believed);
    Some(Item::new(name, good, believed, wanted, why).set(path, "write back"))
}

/// What the drive itself says, where it can be asked.
fn says(system: &System, drive: &Drive) -> Option<String> {
    if let Ok(said) = system.read(drive.folder().join("cache_type")) {
        return Some(said);
    }
    let disks = drive.folder().join("device/scsi_disk");
    let disk = system.list(&disks).into_iter().next()?;
    let said = system.read(disks.join(disk).join("cache_type")).ok()?;
    // As in "write back, no read (daft)".
    Some(said.split(',').next().unwrap_or(&said).to_owned())
}
