//! File names: those of the original, and our own, which its patterns pass over.
//!
//! The original takes every name for a segment that matches
//! `^[\d-.]+\.(raw|unsorted_\d+|sorted_\d+|optimized_\d+)$`; what only this host understands is named so
//! that it doesn't match.

use std::fmt;
use std::path::{Path, PathBuf};

use time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time};

use crate::ids::{Epoch, ShardId};

/// First characters of the name of a file that is not complete yet.
pub const TEMPORARY_PREFIX: &str = ".tmp-";
/// First characters of the name of a segment that the original never completed.
const LEGACY_TEMPORARY_PREFIX: &str = "temp___";
/// A sidecar is named as its segment, with this behind.
pub const SIDECAR_SUFFIX: &str = ".sum";

/// Whether this is the name of a file that was never completed.
#[must_use]
pub fn is_temporary(name: &str) -> bool {
    name.starts_with(TEMPORARY_PREFIX)
}

/// Whether a file of this name in an index's folders was never completed: ours, or the original's.
#[must_use]
pub(crate) fn is_unfinished(name: &str) -> bool {
    is_temporary(name) || name.starts_with(LEGACY_TEMPORARY_PREFIX)
}

/// The path of the sidecar of the segment at `segment`.
#[must_use]
pub fn sidecar_of(segment: &Path) -> PathBuf {
    let mut path = segment.as_os_str().to_owned();
    path.push(SIDECAR_SUFFIX);
    path.into()
}

/// Name of a file in `raw/live/` or `raw/history/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RawName {
    /// `EPOCH.raw`: a raw segment of the original, without header or checksum.
    Legacy(Epoch),
    /// `EPOCH-SHARD-PART.rawlog`: a segment of this host. PART counts from 0 the segments that this shard
    /// has in this epoch: more than one only after an I/O error.
    Segment {
        /// The epoch of all its records.
        epoch: Epoch,
        /// The shard that wrote it.
        shard: ShardId,
        /// Its number among the shard's segments of the epoch.
        part: u32,
    },
    /// `ready-N.rawlog`: a segment made ready ahead of time; or one just taken into use (its header tells)
    /// and not renamed yet.
    Ready(u64),
    /// `EPOCH.lost`: which positions of the epoch recovery found missing.
    Lost(Epoch),
}

impl RawName {
    /// Parses a name; `None` for what is not ours.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let parsed = if let Some(stem) = name.strip_suffix(".raw") {
            Self::Legacy(Epoch::new(stem.parse().ok()?)?)
        } else if let Some(stem) = name.strip_suffix(".lost") {
            Self::Lost(Epoch::new(stem.parse().ok()?)?)
        } else if let Some(number) = name.strip_prefix("ready-").and_then(|n| n.strip_suffix(".rawlog")) {
            Self::Ready(number.parse().ok()?)
        } else {
            let mut parts = name.strip_suffix(".rawlog")?.split('-');
            let epoch = Epoch::new(parts.next()?.parse().ok()?)?;
            let shard = ShardId(parts.next()?.parse().ok()?);
            let part = parts.next()?.parse().ok()?;
            Self::Segment { epoch, shard, part }
        };
        // One name for one thing: no leading zeros or signs, nothing behind.
        (parsed.to_string() == name).then_some(parsed)
    }

    /// The epoch, if the name tells it.
    #[must_use]
    pub const fn epoch(self) -> Option<Epoch> {
        match self {
            Self::Legacy(epoch) | Self::Segment { epoch, .. } | Self::Lost(epoch) => Some(epoch),
            Self::Ready(_) => None,
        }
    }
}

impl fmt::Display for RawName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Legacy(epoch) => write!(f, "{epoch}.raw"),
            Self::Segment { epoch, shard, part } => write!(f, "{epoch}-{shard}-{part}.rawlog"),
            Self::Ready(number) => write!(f, "ready-{number}.rawlog"),
            Self::Lost(epoch) => write!(f, "{epoch}.lost"),
        }
    }
}

/// What has been done to an index's segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SegmentKind {
    /// As dealt: in order of arrival.
    Unsorted,
    /// Ordered by docid, each docid once; named by the first epoch that was merged.
    Sorted,
    /// As sorted, but with everything up to its time merged and deletions dropped; named by the time of the
    /// last segment that was merged.
    Optimized,
}

impl SegmentKind {
    /// The word in file names.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unsorted => "unsorted",
            Self::Sorted => "sorted",
            Self::Optimized => "optimized",
        }
    }
}

/// Name of an index's segment: `yyyy.MM.dd-HH.mm.ss.SSS.KIND_RECORDS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SegmentName {
    /// The time in the name; see [`SegmentKind`] for whose time it is.
    pub time: Epoch,
    /// What was done to it.
    pub kind: SegmentKind,
    /// How many records it holds.
    pub records: u64,
}

impl SegmentName {
    /// Parses a name; `None` for what is not a segment (a sidecar, a temporary file, anything else).
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let (stem, last) = name.rsplit_once('.')?;
        let (word, records) = last.split_once('_')?;
        let kind = match word {
            "unsorted" => SegmentKind::Unsorted,
            "sorted" => SegmentKind::Sorted,
            "optimized" => SegmentKind::Optimized,
            _ => return None,
        };
        let parsed = Self { time: parse_time(stem)?, kind, records: records.parse().ok()? };
        (parsed.to_string() == name).then_some(parsed)
    }
}

impl fmt::Display for SegmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = civil(self.time);
        write!(
            f,
            "{:04}.{:02}.{:02}-{:02}.{:02}.{:02}.{:03}.{}_{}",
            time.year(),
            u8::from(time.month()),
            time.day(),
            time.hour(),
            time.minute(),
            time.second(),
            time.millisecond(),
            self.kind.word(),
            self.records
        )
    }
}

/// When an epoch began, for people: `2026-11-22 10:33:41.999 UTC`.
#[must_use]
pub fn time_of(epoch: Epoch) -> String {
    let time = civil(epoch);
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:03} UTC",
        time.year(),
        u8::from(time.month()),
        time.day(),
        time.hour(),
        time.minute(),
        time.second(),
        time.millisecond()
    )
}

fn civil(epoch: Epoch) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(epoch.millis()) * 1_000_000)
        .expect("each epoch lies between 1970 and 2109")
}

fn parse_time(text: &str) -> Option<Epoch> {
    let (date, time) = text.split_once('-')?;
    let mut date = date.split('.');
    let year = date.next()?.parse().ok()?;
    let month = Month::try_from(date.next()?.parse::<u8>().ok()?).ok()?;
    let day = Date::from_calendar_date(year, month, date.next()?.parse().ok()?).ok()?;
    let mut time = time.split('.');
    let mut field = || time.next()?.parse::<u16>().ok();
    let (hour, minute, second, milli) = (field()?, field()?, field()?, field()?);
    let time =
        Time::from_hms_milli(hour.try_into().ok()?, minute.try_into().ok()?, second.try_into().ok()?, milli);
    let nanos = PrimitiveDateTime::new(day, time.ok()?).assume_utc().unix_timestamp_nanos();
    Epoch::new(u64::try_from(nanos / 1_000_000).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_originals_segment_names_are_read_and_written() {
        let name = SegmentName::parse("2026.11.22-10.33.41.999.optimized_21").unwrap();
        assert_eq!(name.time.millis(), 1_795_343_621_999);
        assert_eq!((name.kind, name.records), (SegmentKind::Optimized, 21));
        assert_eq!(name.to_string(), "2026.11.22-10.33.41.999.optimized_21");
    }

    #[test]
    fn other_names_are_not_segments() {
        for other in [
            "2026.11.22-10.33.41.999.optimized_21.sum",
            ".tmp-2026.11.22-10.33.41.999.optimized_21",
            "2026.11.22-10.33.41.999.optimized_021",
            "2026.13.22-10.33.41.999.sorted_1",
            "2026.11.22-10.33.41.999.sorted_",
            "2026.11.22-10.33.41.999.raw",
            "last_read",
        ] {
            assert_eq!(SegmentName::parse(other), None, "{other}");
        }
    }

    #[test]
    fn raw_names_round_trip() {
        for name in ["1795343512642.raw", "1795343512642-3-0.rawlog", "ready-7.rawlog", "1795343512642.lost"]
        {
            assert_eq!(RawName::parse(name).unwrap().to_string(), name);
        }
        for other in
            ["01.raw", "+1.raw", "x.raw", "1-2.rawlog", "1-2-3-4.rawlog", "ready-.rawlog", "1.log", "ballast"]
        {
            assert_eq!(RawName::parse(other), None, "{other}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_time_round_trips(millis in 0..=Epoch::MAX.millis(), records: u64) {
            let name = SegmentName { time: Epoch::new(millis).unwrap(), kind: SegmentKind::Sorted, records };
            proptest::prop_assert_eq!(SegmentName::parse(&name.to_string()), Some(name));
        }
    }
}
