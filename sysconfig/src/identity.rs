//! Which drive a folder is on, in words that another drive in its place does not share.

use std::path::Path;

use crate::{Drive, Mounts, OtherDrive, Place, System, TuneError};

/// The drives and the filesystem that hold `place`, as one line of printable ASCII; the same after a restart as long as
/// the drive tells a serial number and the filesystem a UUID.
///
/// # Errors
/// [`TuneError::Read`] if the mounts can't be read.
pub fn identity(system: &System, place: &Place) -> Result<String, TuneError> {
    let mounts = Mounts::read(system)?;
    let Some(mount) = mounts.by_id(place.mount_id) else {
        return Ok(format!("an unknown mount, filesystem {:x}", place.filesystem_id));
    };
    let drives: Vec<String> =
        Drive::below(system, mount).iter().map(|drive| of_drive(system, drive)).collect();
    // Nothing below it: a filesystem in memory, or of another machine.
    let drives = if drives.is_empty() { mount.source.clone() } else { drives.join(" and ") };
    let filesystem =
        udev(system, &mount.device, "ID_FS_UUID").unwrap_or_else(|| format!("{:x}", place.filesystem_id));
    Ok(printable(&format!("{drives}, {} {filesystem}", mount.filesystem)))
}

/// Whether what was measured on the drive `measured` holds for the folder `raw`.
///
/// # Errors
/// If it was another drive, or if either can't be told.
pub fn check_measured(system: &System, raw: &Path, measured: Option<&str>) -> Result<(), OtherDrive> {
    let here = match Place::of(raw) {
        Ok(place) => identity(system, &place).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match (here, measured) {
        (Ok(here), Some(measured)) if here == measured => Ok(()),
        (here, measured) => Err(OtherDrive {
            measured: measured.unwrap_or("one that is not named").to_owned(),
            here: here.unwrap_or_else(|error| format!("one that can't be told: {error}")),
        }),
    }
}

/// A serial number, or else all that the kernel tells; names alone change hands when a drive is missing.
fn of_drive(system: &System, drive: &Drive) -> String {
    let file = |name: &str| system.read(drive.folder().join(name)).ok().filter(|text| !text.is_empty());
    let serial = udev(system, &drive.device, "ID_SERIAL");
    match serial.or_else(|| file("serial")).or_else(|| file("device/serial")).or_else(|| file("device/wwid"))
    {
        Some(serial) => format!("drive {serial}"),
        None => {
            let sectors = file("size").unwrap_or_default();
            format!("drive {} ({}, {sectors} sectors)", drive.name, drive.device)
        }
    }
}

/// What udev has written down of the device with these numbers.
pub(crate) fn udev(system: &System, device: &str, key: &str) -> Option<String> {
    let known = system.read(Path::new("/run/udev/data").join(format!("b{device}"))).ok()?;
    let value =
        known.lines().find_map(|line| line.strip_prefix("E:")?.strip_prefix(key)?.strip_prefix('='))?;
    Some(value.to_owned())
}

/// Goes into a TOML string and back without escapes.
pub(crate) fn printable(text: &str) -> String {
    let plain = |c: char| matches!(c, ' '..='~') && c != '"' && c != '\\';
    text.chars().map(|c| if plain(c) { c } else { '_' }).collect()
}
