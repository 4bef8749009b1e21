//! A start over a damaged raw log.

use logtank_engine::testing::store;
use std::path::{Path, PathBuf};

use logtank_engine::error::Error;
use logtank_engine::format::{Layout, RawName};
use logtank_engine::ids::Epoch;
use logtank_engine::raw_log::{recover, verify};
use logtank_engine::testing::{MemDisk, RawEpoch, raw_record, run};
use logtank_engine::time::WallMillis;

use crate::edits::{damage, mend};
use crate::raw_segment::{SEAL, scan};

const NOW: WallMillis = WallMillis(10_000);

/// What all segments hold, by file; whoever moved them.
fn found(disk: &MemDisk) -> Vec<(PathBuf, Vec<Vec<u8>>)> {
    let segment = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "raw");
    disk.files().into_iter().filter(segment).map(|path| (path.clone(), scan(disk, &path))).collect()
}

/// A start finds only what was written, in order, opens an epoch behind it, and a second start changes nothing of that.
pub(crate) fn recovery(data: &[u8]) {
    let Some((&how, edits)) = data.split_first() else { return };
    let (sealed, forged, second, original) = (how & 1 != 0, how & 2 != 0, how & 4 != 0, how & 8 != 0);
    let (disk, layout) = (MemDisk::new(), Layout::new(Path::new("data"), None));
    let mut epoch = RawEpoch::new(5_000, 2);
    for frame in 0..6 {
        let docid = |record| format!("d-{frame}-{record}");
        let records: Vec<_> =
            (0..=frame % 3).map(|record| raw_record("m", &docid(record), Some("text"))).collect();
        epoch.frame(frame % 2, &records);
    }
    epoch.put(&store(&disk, &layout), sealed);
    if original {
        disk.put(layout.live(RawName::Legacy(Epoch::new(4_000).expect("small"))), edits);
    } else {
        let path = layout.live(epoch.name(second.into()));
        let mut bytes = disk.get(&path).expect("it was put there");
        damage(&mut bytes, edits);
        if forged {
            mend(&mut bytes, 0..56);
            mend(&mut bytes, SEAL..SEAL + 72);
        }
        disk.put(&path, &bytes);
    }
    let before = found(&disk);
    let recovered = match run(recover(&store(&disk, &layout), NOW, &mut |_| {})) {
        Ok(recovered) => recovered,
        // Of another version of the format, or at the end of time.
        Err(Error::Corrupt(_)) => return,
        Err(other) => panic!("the disk is well: {other}"),
    };
    assert!(recovered.first_epoch() > Epoch::new(5_000).expect("small"), "positions go back");
    let after = found(&disk);
    let all = |found: &[(PathBuf, Vec<Vec<u8>>)]| -> Vec<Vec<u8>> {
        found.iter().flat_map(|(_, frames)| frames.clone()).collect()
    };
    let known = all(&before);
    assert!(all(&after).iter().all(|frame| known.contains(frame)), "a start found what was not there");
    run(verify(&store(&disk, &layout))).expect("the disk is well");
    run(recover(&store(&disk, &layout), NOW, &mut |_| {}))
        .expect("what a start put in order, the next one takes");
    assert_eq!(all(&found(&disk)), all(&after), "the second start found something else");
}
