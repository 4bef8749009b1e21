//! Walks the data directory for the page: segments by kind, the largest and the most fragmented indexes.
//!
//! Only while somebody looks at the page, since a host may have a hundred thousand indexes.

use std::cmp::Reverse;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use logtank_engine::format::{Layout, RawName, SegmentKind, SegmentName};
use logtank_engine::ids::IndexCode;
use serde::Serialize;

/// Indexes named in each list.
const NAMED: usize = 10;

/// Files and bytes of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Amount {
    pub(super) files: u64,
    pub(super) bytes: u64,
}

impl Amount {
    fn add(&mut self, bytes: u64) {
        self.files += 1;
        self.bytes += bytes;
    }
}

/// One index.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Index {
    pub(super) code: String,
    pub(super) bytes: u64,
    /// In the newest optimized segment.
    pub(super) records: u64,
    /// Segments that no optimized one holds yet, as far as names tell.
    pub(super) segments: u64,
    /// Records in them.
    pub(super) unoptimized: u64,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Survey {
    pub(super) indexes: u64,
    pub(super) ready: Amount,
    pub(super) live: Amount,
    pub(super) history: Amount,
    pub(super) unsorted: Amount,
    pub(super) sorted: Amount,
    pub(super) optimized: Amount,
    pub(super) largest: Vec<Index>,
    pub(super) fragmented: Vec<Index>,
    /// How long it took, in milliseconds.
    pub(super) took_ms: u64,
}

/// Looks at every file's name and length. Blocks; what vanishes meanwhile is passed over.
pub(super) fn survey(layout: &Layout) -> Survey {
    let began = Instant::now();
    let mut found = Survey::default();
    files(&layout.raw_live(), |name, bytes| match RawName::parse(name) {
        Some(RawName::Ready(_)) => found.ready.add(bytes),
        Some(RawName::Segment { .. } | RawName::Legacy(_)) => found.live.add(bytes),
        Some(RawName::Lost(_)) | None => {}
    });
    files(&layout.raw_history(), |name, bytes| {
        if RawName::parse(name).is_some() {
            found.history.add(bytes);
        }
    });
    for entry in fs::read_dir(layout.indexes()).into_iter().flatten().flatten() {
        let code = entry.file_name().into_encoded_bytes();
        let Ok(code) = IndexCode::new(&code) else { continue };
        let index = look(layout, &code, &mut found);
        found.indexes += 1;
        keep(&mut found.largest, &index, |index| index.bytes);
        if index.segments > 1 {
            keep(&mut found.fragmented, &index, |index| (index.segments, index.unoptimized));
        }
    }
    found.took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    found
}

fn look(layout: &Layout, code: &IndexCode, found: &mut Survey) -> Index {
    let mut index = Index { code: code.to_string(), ..Index::default() };
    let mut newest = None;
    files(&layout.optimized(code), |name, bytes| {
        let Some(name) = SegmentName::parse(name) else { return };
        found.optimized.add(bytes);
        index.bytes += bytes;
        if newest.is_none_or(|time| time < name.time) {
            newest = Some(name.time);
            index.records = name.records;
        }
    });
    files(&layout.segments(code), |name, bytes| {
        let Some(name) = SegmentName::parse(name) else { return };
        match name.kind {
            SegmentKind::Unsorted => found.unsorted.add(bytes),
            SegmentKind::Sorted => found.sorted.add(bytes),
            SegmentKind::Optimized => {}
        }
        index.bytes += bytes;
        if newest.is_none_or(|time| time < name.time) {
            index.segments += 1;
            index.unoptimized += name.records;
        }
    });
    index
}

/// Calls `each` with name and length of the files in a folder.
fn files(folder: &Path, mut each: impl FnMut(&str, u64)) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if let (Some(name), Ok(found)) = (entry.file_name().to_str(), entry.metadata())
            && found.is_file()
        {
            each(name, found.len());
        }
    }
}

/// Keeps the greatest few, in order.
fn keep<K: Ord>(list: &mut Vec<Index>, index: &Index, by: impl Fn(&Index) -> K) {
    let place = list.partition_point(|other| Reverse(by(other)) <= Reverse(by(index)));
    if place < NAMED {
        list.insert(place, index.clone());
        list.truncate(NAMED);
    }
}

/// When to look again: rarely where it takes long.
pub(super) fn good_for(survey: &Survey) -> Duration {
    Duration::from_millis(survey.took_ms.saturating_mul(50)).max(Duration::from_secs(15))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_counted_by_kind_and_indexes_ranked() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path(), None);
        let put = |path: &str, len: usize| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, vec![b'x'; len]).unwrap();
        };
        for number in 0..12 {
            let path = format!("indexes/i{number}/segments/2026.11.22-10.33.39.460.unsorted_2");
            put(&path, 100 + number);
        }
        put("indexes/frag/optimized/2026.11.22-10.33.40.000.optimized_7", 10);
        put("indexes/frag/segments/2026.11.22-10.33.39.000.sorted_3", 1);
        put("indexes/frag/segments/2026.11.22-10.33.41.000.sorted_3", 1);
        put("indexes/frag/segments/2026.11.22-10.33.42.000.unsorted_4", 1);
        put("indexes/frag/segments/2026.11.22-10.33.42.000.unsorted_4.sum", 50);
        put("indexes/more/segments/2026.11.22-10.33.41.000.unsorted_9", 1);
        put("indexes/more/segments/2026.11.22-10.33.42.000.unsorted_9", 1);
        put("raw/live/5.raw", 3);
        put("raw/history/4.raw", 4);
        let found = survey(&layout);
        assert_eq!(found.indexes, 14);
        assert_eq!(found.unsorted, Amount { files: 15, bytes: 1269 });
        assert_eq!((found.sorted.files, found.optimized.bytes), (2, 10));
        assert_eq!((found.live.bytes, found.history.bytes, found.ready.files), (3, 4, 0));
        assert_eq!(found.largest.len(), NAMED);
        assert_eq!(found.largest[0].code, "i11");
        let fragmented = Index { code: "frag".into(), bytes: 13, records: 7, segments: 2, unoptimized: 7 };
        let more = Index { code: "more".into(), bytes: 2, records: 0, segments: 2, unoptimized: 18 };
        assert_eq!(
            found.fragmented,
            [more, fragmented],
            "of as many segments, those with more in them first"
        );
    }

    #[test]
    fn a_fresh_host_has_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let found = survey(&Layout::new(folder.path(), None));
        assert_eq!(found, Survey { took_ms: found.took_ms, ..Survey::default() });
    }
}
