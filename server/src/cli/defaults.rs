//! Defaults as the texts that a user would write. Their values are the engine's; none is written a second time.

use std::time::Duration;

/// Where batches are received.
pub(super) const WRITER_ADDR: &str = "127.0.0.1:15000";
/// Where indexes are recovered from.
pub(super) const READER_ADDR: &str = "127.0.0.1:15100";
/// The control plane.
pub(super) const MANAGER_ADDR: &str = "127.0.0.1:16000";
/// What a host tells about itself.
pub(super) const METRICS_ADDR: &str = "127.0.0.1:15200";

/// `16MiB`: in the greatest unit that is exact.
pub(super) fn size(bytes: impl TryInto<u64>) -> String {
    let bytes: u64 = bytes.try_into().ok().expect("a default fits");
    let units = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    let unit = units.into_iter().find(|(_, unit)| bytes > 0 && bytes.is_multiple_of(*unit));
    unit.map_or_else(|| bytes.to_string(), |(name, unit): (_, u64)| format!("{}{name}", bytes / unit))
}

/// `10m`: in the greatest unit that is exact.
pub(super) fn duration(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    let units = [
        ("d", 86_400_000_000_000),
        ("h", 3_600_000_000_000),
        ("m", 60_000_000_000),
        ("s", 1_000_000_000),
        ("ms", 1_000_000),
        ("us", 1_000),
    ];
    let unit = units.into_iter().find(|(_, unit)| nanos > 0 && nanos.is_multiple_of(*unit));
    unit.map_or_else(|| format!("{nanos}ns"), |(name, unit)| format!("{}{name}", nanos / unit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::SettingsArgs;

    #[test]
    fn defaults_are_written_as_people_write_them() {
        for (bytes, text) in
            [(64_u64 << 30, "64GiB"), (1 << 20, "1MiB"), (4_096, "4KiB"), (1_000, "1000"), (0, "0")]
        {
            assert_eq!(size(bytes), text);
            assert_eq!(text.parse::<bytesize::ByteSize>().unwrap().as_u64(), bytes);
        }
        for (millis, text) in
            [(86_400_000 * 30, "30d"), (3_600_000, "1h"), (90_000, "90s"), (10, "10ms"), (0, "0ns")]
        {
            let value = Duration::from_millis(millis);
            assert_eq!(duration(value), text);
            assert_eq!(humantime::parse_duration(text).unwrap(), value);
        }
        assert_eq!(duration(Duration::from_micros(250)), "250us");
    }

    /// Where a document names a setting and, in brackets right after it, a duration or a size, that is the default.
    #[test]
    fn the_documents_name_the_defaults() {
        let settings = <SettingsArgs as clap::Args>::augment_args(clap::Command::new("settings"));
        let default = |name: &str| {
            let found = settings.get_arguments().find(|setting| setting.get_id() == name)?;
            found.get_default_values().first()?.to_str()
        };
        let value = |text: &str| {
            let duration = humantime::parse_duration(text).ok().map(|duration| duration.as_nanos());
            duration.or_else(|| text.parse::<bytesize::ByteSize>().ok().map(|size| size.as_u64().into()))
        };
        let mut found = Vec::new();
        for text in [include_str!("../../../docs/operations.md"), include_str!("../../../README.md")] {
            let parts: Vec<_> = text.split('`').collect();
            for parts in parts.windows(2) {
                let name = parts[0].trim_start_matches('-').replace('-', "_");
                let Some((said, _)) = parts[1].strip_prefix(" (").and_then(|rest| rest.split_once(')'))
                else {
                    continue;
                };
                let (Some(default), Some(said)) = (default(&name), value(said)) else { continue };
                assert_eq!(Some(said), value(default), "{name} is {default} by default");
                found.push(name);
            }
        }
        found.sort_unstable();
        assert_eq!(
            found,
            ["epoch_max_age", "free_bytes_min", "history_max_age", "history_max_bytes", "sync_interval"]
        );
    }
}
