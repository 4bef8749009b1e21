//! Segments of an index and their sidecars: damaged, forged, and as the original left them.

use logtank_engine::testing::store;
use std::collections::BTreeSet;
use std::path::Path;

use logtank_engine::error::Error;
use logtank_engine::format::{Layout, SegmentName, Sidecar, SidecarPoint as Point, sidecar_of};
use logtank_engine::ids::IndexCode;
use logtank_engine::index_log::{OpenSegment, rebuild_sidecar, verify_index};
use logtank_engine::limits::Limits;
use logtank_engine::testing::{MemDisk, raw_record, run};

use crate::edits::{damage, mend};
use logtank_engine::store::Store;

const HEADER_BYTES: usize = 64;

/// The bytes that a recovery is served, up to the first damage.
fn served(store: &Store<MemDisk>, code: &IndexCode, name: SegmentName) -> Vec<u8> {
    run(async {
        let segment = match OpenSegment::open(store, code, name).await {
            Ok(segment) => segment,
            Err(Error::Corrupt(_)) => return Vec::new(),
            Err(other) => panic!("the store.disk() is well: {other}"),
        };
        let (mut bytes, mut at) = (Vec::new(), 0);
        while let Some(cut) = segment.cut(at, 4096).filter(|cut| !cut.bytes().is_empty()) {
            assert!(cut.bytes().start == at && cut.bytes().end > at, "a reader goes on");
            match segment.read_raw(cut.bytes()).await {
                Ok(read) => bytes.extend_from_slice(&read),
                Err(Error::Corrupt(_)) => return bytes,
                Err(other) => panic!("the store.disk() is well: {other}"),
            }
            at = cut.bytes().end;
        }
        bytes
    })
}

/// The records that merging is given, up to the first damage.
fn streamed(store: &Store<MemDisk>, code: &IndexCode, name: SegmentName) -> Vec<u8> {
    run(async {
        let Ok(segment) = OpenSegment::open(store, code, name).await else { return Vec::new() };
        let (mut stream, mut bytes) = (segment.records(Point::START, 4096), Vec::new());
        while let Ok(true) = stream.advance().await {
            assert!(stream.bytes().len() >= stream.docid().len());
            bytes.extend_from_slice(stream.bytes());
        }
        bytes
    })
}

fn verify(store: &Store<MemDisk>, code: &IndexCode) {
    run(verify_index(store, code, &Limits::default(), &BTreeSet::new())).expect("the store.disk() is well");
}

/// With its sidecar whole, only what was written is served of a damaged segment; with any sidecar nothing panics.
pub(crate) fn index_segment(data: &[u8]) {
    let Some((&how, edits)) = data.split_first() else { return };
    let (of_sidecar, forged, long) = (how & 1 != 0, how & 2 != 0, how & 4 != 0);
    let (disk, layout) = (MemDisk::new(), Layout::new(Path::new("data"), None));
    let code = IndexCode::new(b"m").expect("a good code");
    let name = SegmentName::parse("2026.11.22-10.33.41.999.sorted_40").expect("a good name");
    let path = layout.segment(&code, name);
    // Within one block, or over several.
    let text = "some text".repeat(if long { 400 } else { 1 });
    let records: Vec<_> =
        (10..50).map(|number| raw_record("m", &format!("d-{number}"), Some(&text))).collect();
    let original = records.concat();
    disk.put(&path, &original);
    run(rebuild_sidecar(&store(&disk, &layout), &code, name)).expect("the disk is well");
    let damaged = if of_sidecar { sidecar_of(&path) } else { path };
    let mut bytes = disk.get(&damaged).expect("both files are there");
    damage(&mut bytes, edits);
    if of_sidecar && forged {
        mend(&mut bytes, 0..60);
        let end = bytes.len().saturating_sub(4);
        mend(&mut bytes, HEADER_BYTES..end);
        if let Ok(sidecar) = Sidecar::decode(&bytes) {
            assert_eq!(Sidecar::decode(&sidecar.encode()), Ok(sidecar), "written again, not the same");
        }
    }
    disk.put(&damaged, &bytes);
    let (found, stream) =
        (served(&store(&disk, &layout), &code, name), streamed(&store(&disk, &layout), &code, name));
    if !(of_sidecar && forged) {
        assert!(original.starts_with(&found), "something else than was written is served");
        assert!(original.starts_with(&stream), "something else than was written is merged");
    }
    verify(&store(&disk, &layout), &code);
}

/// Any bytes under the name of a segment of the original, which has no sidecar: what is served are its first bytes, the
/// same whether the sidecar is made in passing or found.
pub(crate) fn original_segment(data: &[u8]) {
    let Some((&which, bytes)) = data.split_first() else { return };
    let name = match which % 3 {
        0 => format!("2026.11.22-10.33.41.999.unsorted_{}", which / 3),
        1 => format!("2026.11.22-10.33.41.999.sorted_{}", which / 3),
        _ => format!("2026.11.22-10.33.41.999.optimized_{}", which / 3),
    };
    let name = SegmentName::parse(&name).expect("a good name");
    let (disk, layout) = (MemDisk::new(), Layout::new(Path::new("data"), None));
    let code = IndexCode::new(b"m").expect("a good code");
    disk.put(layout.segment(&code, name), bytes);
    let found = served(&store(&disk, &layout), &code, name);
    assert!(bytes.starts_with(&found), "something else than is there is served");
    let stream = streamed(&store(&disk, &layout), &code, name);
    assert!(found.starts_with(&stream), "something else than is served is merged");
    if run(rebuild_sidecar(&store(&disk, &layout), &code, name)).is_ok() {
        assert_eq!(served(&store(&disk, &layout), &code, name), found, "the sidecar changes what is served");
    }
    verify(&store(&disk, &layout), &code);
}
