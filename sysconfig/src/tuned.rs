//! What was measured, as defaults of `serve`.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::Measured;
use crate::identity::printable;

/// The key, in the file of settings, of the drive that was measured, as [`crate::identity`] tells it.
pub const MEASURED_DRIVE: &str = "measured_drive";
/// Name of the file, in the data directory.
const FILE: &str = "tuned.toml";
/// Even on the slowest drive dealing goes on; even on the fastest the appends come first.
const BACKGROUND_BYTES: std::ops::RangeInclusive<u64> = (4 << 20)..=(64 << 20);
/// Appends that are quicker are never called slow; those that are slower than this always may be.
const APPEND_MICROS: std::ops::RangeInclusive<u64> = 250..=50_000;

/// Settings that follow from a measurement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tuned {
    /// Direct appends are not slow before this, in microseconds.
    pub append_slow_after_micros: u64,
    /// What dealing and optimizing may always move, in bytes a second.
    pub background_rate_min_bytes: u64,
}

/// Where `serve` looks for them, in the data directory.
#[must_use]
pub fn settings_file(data: &Path) -> PathBuf {
    data.join(FILE)
}

impl Tuned {
    /// What follows from `measured`: an append is slow at three times what a write takes; the background always gets a
    /// sixteenth of the drive.
    #[must_use]
    pub fn from(measured: &Measured) -> Self {
        let slow = (measured.write.p50_micros * 3).clamp(*APPEND_MICROS.start(), *APPEND_MICROS.end());
        let rate = (measured.bytes_per_second / 16).clamp(*BACKGROUND_BYTES.start(), *BACKGROUND_BYTES.end());
        Self { append_slow_after_micros: slow, background_rate_min_bytes: rate >> 20 << 20 }
    }

    /// The file's text: settings of `serve`, with what was measured as comments. `identity` is [`crate::identity`] of
    /// the raw directory: on another drive `serve` does not take them.
    #[must_use]
    pub fn to_toml(&self, measured: &Measured, drives: &str, identity: &str, when: &str) -> String {
        let mut out = format!(
            "# Written by `logtank tune` ({when}). `serve` takes these in place of its own defaults; flags, variables and \
             the configuration win.\n# They hold for this drive only.\n{MEASURED_DRIVE} = \"{}\"\n# Drive: {}; writes {} the page cache.\n",
            printable(identity),
            printable(drives),
            if measured.direct { "past" } else { "through" }
        );
        let mut line = |name: &str, latency: &crate::Latency| {
            let _ = writeln!(
                out,
                "# {name}: p50 {} µs, p99 {} µs, most {} µs, of {}",
                latency.p50_micros, latency.p99_micros, latency.max_micros, latency.count
            );
        };
        line("write of 4 KiB", &measured.write);
        line("fdatasync", &measured.sync);
        let _ = writeln!(out, "# sequential writes: {} MB/s", measured.bytes_per_second / 1_000_000);
        let _ = writeln!(out, "append_slow_after = \"{}us\"", self.append_slow_after_micros);
        let _ = writeln!(out, "background_rate_min = \"{}MiB\"", self.background_rate_min_bytes >> 20);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Latency;

    fn measured(p50_micros: u64, bytes_per_second: u64) -> Measured {
        let latency =
            Latency { count: 9, p50_micros, p99_micros: p50_micros * 2, max_micros: p50_micros * 3 };
        Measured { write: latency, sync: latency, bytes_per_second, direct: true }
    }

    #[test]
    fn settings_follow_the_drive_within_bounds() {
        let tuned = |p50, rate| {
            let tuned = Tuned::from(&measured(p50, rate));
            (tuned.append_slow_after_micros, tuned.background_rate_min_bytes >> 20)
        };
        assert_eq!(tuned(20, 3_000_000_000), (250, 64), "NVMe");
        assert_eq!(tuned(200, 500_000_000), (600, 29), "SATA");
        assert_eq!(tuned(8_000, 120_000_000), (24_000, 7), "rotational");
        assert_eq!(tuned(100_000, 1_000_000), (50_000, 4), "a card");
    }

    #[test]
    fn no_name_of_a_drive_becomes_a_setting() {
        let measured = measured(200, 500_000_000);
        let nasty = "a\"\nsync = \"never\"\r\u{2028}\u{1b}";
        let text = Tuned::from(&measured).to_toml(&measured, nasty, nasty, "2026-01-01");
        let plain = Tuned::from(&measured).to_toml(&measured, "", "", "2026-01-01");
        assert_eq!(text.lines().count(), plain.lines().count(), "{text}");
        assert!(!text.lines().any(|line| line.starts_with("sync")) && !text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn the_file_says_what_it_follows_from() {
        let measured = measured(200, 500_000_000);
        let text = Tuned::from(&measured).to_toml(&measured, "sdb (SSD)", "drive S1, xfs 1a", "2026-01-01");
        assert!(text.contains("# fdatasync: p50 200 µs, p99 400 µs, most 600 µs, of 9\n"), "{text}");
        assert!(text.contains("\nmeasured_drive = \"drive S1, xfs 1a\"\n"), "{text}");
        assert!(text.ends_with("append_slow_after = \"600us\"\nbackground_rate_min = \"29MiB\"\n"), "{text}");
    }
}
