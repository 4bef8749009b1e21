//! Segments of an index and their sidecars, damaged.

use std::path::Path;

use logtank_engine::error::Error;
use logtank_engine::format::layout::Layout;
use logtank_engine::format::names::{SegmentName, sidecar_of};
use logtank_engine::ids::IndexCode;
use logtank_engine::index_log::segment_reader::OpenSegment;
use logtank_engine::index_log::verify::verify_index;
use logtank_engine::limits::Limits;
use logtank_engine::testing::{MemDisk, raw_record, run};

use crate::edits::damage;

const CHUNK_BYTES: usize = 64 * 1024;

/// The records that a reader is served, up to the first damage.
fn served(disk: &MemDisk, layout: &Layout, code: &IndexCode, name: SegmentName) -> Vec<Vec<u8>> {
    run(async {
        let segment = match OpenSegment::open(disk, layout, code, name).await {
            Ok(segment) => segment,
            Err(Error::Corrupt(_)) => return Vec::new(),
            Err(other) => panic!("the disk is well: {other}"),
        };
        let (mut records, mut at) = (Vec::new(), 0);
        while let Some(cut) = segment.cut(at, 4096) {
            let bytes = cut.bytes();
            let Ok(read) = segment.read_raw(bytes.clone()).await else { return records };
            records.push(read.to_vec());
            assert!(bytes.end > at, "a reader goes on");
            at = bytes.end;
        }
        records
    })
}

/// With its sidecar whole, only what was written is served of a damaged segment; with any sidecar nothing panics.
pub(crate) fn index_segment(data: &[u8]) {
    let Some((&which, edits)) = data.split_first() else { return };
    let (disk, layout) = (MemDisk::new(), Layout::new(Path::new("data"), None));
    let code = IndexCode::new(b"m").expect("a good code");
    let name = SegmentName::parse("2026.11.22-10.33.41.999.sorted_40").expect("a good name");
    let path = layout.segment(&code, name);
    let records: Vec<_> =
        (10..50).map(|number| raw_record("m", &format!("d-{number}"), Some("some text"))).collect();
    let original = records.concat();
    disk.put(&path, &original);
    // Opening rebuilds the sidecar.
    assert_eq!(served(&disk, &layout, &code, name).concat(), original);
    let damaged = if which & 1 == 0 { path.clone() } else { sidecar_of(&path) };
    let mut bytes = disk.get(&damaged).unwrap_or_default();
    damage(&mut bytes, edits);
    disk.put(&damaged, &bytes);
    let found = served(&disk, &layout, &code, name).concat();
    let has_sidecar = disk.get(sidecar_of(&path)).is_some();
    if which & 1 == 0 && has_sidecar {
        assert!(original.starts_with(&found), "something else than was written is served");
    }
    run(verify_index(&disk, &layout, &code, &Limits::default())).expect("the disk is well");
}
