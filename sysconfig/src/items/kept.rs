use std::path::Path;

use crate::report::{Fix, Item};
use crate::{Drive, System};

/// Where the rule is that marks the drive; what it is to look like then stands in 60-logtank.rules.
const RULE: &str = "/etc/udev/rules.d/59-logtank-drive.rules";

/// Whether the drive is set up again after a restart.
pub(super) fn item(system: &System, drive: &Drive) -> Item {
    let matched = drive.udev_match(system);
    let line = format!(
        "ACTION==\"add|change\", SUBSYSTEM==\"block\", ENV{{DEVTYPE}}==\"disk\", {matched}, ENV{{LOGTANK_RAW_LOG}}=\"1\""
    );
    let path = Path::new(RULE);
    let text = system.read(path).unwrap_or_default();
    let has = text.lines().any(|found| found.trim() == line);
    let current = if has { "a udev rule names the drive" } else { "nothing names the drive" };
    let mut text = text;
    if text.is_empty() {
        text.push_str(
            "# Drives that hold a LogTank raw log; 60-logtank.rules sets them up. Written by `logtank tune`.",
        );
    }
    Item::new(
        format!("{} after a restart", drive.name),
        has,
        current,
        format!("a line in {RULE} names it"),
        "Scheduler and tunables are of the running kernel: udev sets them again when the drive appears.",
    )
    .fix(Fix::Keep { path: path.to_owned(), text: format!("{text}\n{line}\n") })
}
