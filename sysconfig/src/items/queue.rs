use crate::report::Item;
use crate::{Drive, System};

/// Enough that a long read keeps the drive busy.
const READ_AHEAD_KIB: std::ops::RangeInclusive<u64> = 128..=8192;
const READ_AHEAD_KIB_WANTED: &str = "1024";

pub(super) fn read_ahead(system: &System, drive: &Drive) -> Item {
    let name = format!("read-ahead of {}", drive.name);
    let why = "What the host reads, it reads in order and long. Its own reads go past the page cache; those of backups \
               and of the original's tools are as fast as this allows.";
    let path = drive.queue("read_ahead_kb");
    let wanted = format!("{} to {} KiB", READ_AHEAD_KIB.start(), READ_AHEAD_KIB.end());
    match system.number(&path) {
        Ok(kib) => Item::new(name, READ_AHEAD_KIB.contains(&kib), format!("{kib} KiB"), wanted, why)
            .set(path, READ_AHEAD_KIB_WANTED),
        Err(error) => Item::unknown(name, error, wanted, why),
    }
}
