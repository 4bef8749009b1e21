//! Raw segments, damaged.

use logtank_engine::testing::store;
use std::path::Path;

use logtank_engine::error::Error;
use logtank_engine::format::{Layout, RawName};
use logtank_engine::ids::Epoch;
use logtank_engine::io::Transfer;
use logtank_engine::raw_log::{Item, SegmentScan, verify};
use logtank_engine::testing::{MemDisk, RawEpoch, raw_record, run};

use crate::edits::{damage, mend};

/// Where the seal block begins.
pub(crate) const SEAL: usize = 4096;

/// The frames' bytes that a scan finds, over all damage.
pub(crate) fn scan(disk: &MemDisk, path: &Path) -> Vec<Vec<u8>> {
    run(async {
        let mut frames = Vec::new();
        let scan = match SegmentScan::open(disk, path, Transfer::Cached).await {
            Ok(scan) => scan,
            Err(Error::Corrupt(_)) => return frames,
            Err(other) => panic!("the disk is well: {other}"),
        };
        let mut items = scan.strict();
        while let Some(item) = items.next().await.expect("the disk is well") {
            if let Item::Frame(frame) = item {
                frames.push(frame.payload.to_vec());
            }
        }
        frames
    })
}

/// Of a damaged segment only frames are found that were written, in order, whatever its header and its seal say.
pub(crate) fn raw_segment(data: &[u8]) {
    let Some((&how, edits)) = data.split_first() else { return };
    let (sealed, forged) = (how & 1 != 0, how & 2 != 0);
    let (disk, layout) = (MemDisk::new(), Layout::new(Path::new("data"), None));
    let mut epoch = RawEpoch::new(5_000, 1);
    for frame in 0..4 {
        let docid = |record| format!("d-{frame}-{record}");
        let records: Vec<_> =
            (0..=frame).map(|record| raw_record("m", &docid(record), Some("text"))).collect();
        epoch.frame(0, &records);
    }
    epoch.put(&store(&disk, &layout), sealed);
    let path = layout.live(epoch.name(0));
    let written = scan(&disk, &path);
    assert_eq!(written.len(), 4, "undamaged, all is found");
    let mut bytes = disk.get(&path).expect("it was put there");
    damage(&mut bytes, edits);
    if forged {
        mend(&mut bytes, 0..56);
        mend(&mut bytes, SEAL..SEAL + 72);
    }
    disk.put(&path, &bytes);
    let found = scan(&disk, &path);
    let mut rest = written.iter();
    for frame in &found {
        assert!(rest.any(|written| written == frame), "a frame that was not written, or not in this order");
    }
    run(verify(&store(&disk, &layout))).expect("the disk is well");
}

/// Any bytes under a name of the original's raw log.
pub(crate) fn legacy_segment(data: &[u8]) {
    let (disk, layout) = (MemDisk::new(), Layout::new(Path::new("data"), None));
    let epoch = Epoch::new(5_000).expect("small");
    let path = layout.live(RawName::Legacy(epoch));
    disk.put(&path, data);
    let found = scan(&disk, &path);
    assert!(found.iter().map(Vec::len).sum::<usize>() <= data.len(), "more than there is");
    run(verify(&store(&disk, &layout))).expect("the disk is well");
}
