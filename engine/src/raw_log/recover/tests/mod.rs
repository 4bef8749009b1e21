mod crashes;
mod damage;
mod empty;
mod order;
mod restored;

use crate::testing::store;
use std::collections::BTreeMap;

use super::*;
use crate::error::Result;
use crate::format::names::RawName;
use crate::ids::Position;
use crate::io::disk::{Disk, Transfer};
use crate::raw_log::read::live::LiveView;
use crate::raw_log::read::merged::EpochScan;
use crate::raw_log::test_support::{LegacyBytes, MemDisk, SegmentBytes, layout, position, raw_disk};
use crate::testing::run;
use crate::time::WallMillis;

const NOW: WallMillis = WallMillis(1000);

fn try_recover(disk: &MemDisk) -> Result<Recovered> {
    run(recover(&store(disk, &layout()), NOW, &mut |_| {}))
}

fn recovered(disk: &MemDisk) -> Recovered {
    try_recover(disk).unwrap()
}

fn small(millis: u64, shard: u16) -> SegmentBytes {
    SegmentBytes::new(millis, shard, 0, 8).file_bytes(12_288)
}

fn put(disk: &MemDisk, name: &str, bytes: &[u8]) {
    disk.put(layout().raw_live().join(name), bytes);
}

fn put_segment(disk: &MemDisk, segment: &SegmentBytes) {
    put(disk, &segment.name().to_string(), &segment.full(0));
}

/// Ordinals of all records that `raw/live/` delivers, by epoch. Each epoch must be complete.
fn delivered(disk: &MemDisk) -> BTreeMap<u64, Vec<u32>> {
    let view = run(LiveView::look(&store(disk, &layout()), Transfer::Cached)).unwrap();
    let mut delivered = BTreeMap::new();
    for epoch in view.epochs.values() {
        assert!(view.is_complete(epoch.epoch), "epoch {}", epoch.epoch);
        let range = position(epoch.epoch.millis(), 0)..Position::after(epoch.epoch);
        let mut scan = run(EpochScan::open(disk, epoch, range, Transfer::Cached)).unwrap();
        let mut ordinals = Vec::new();
        while let Some(frame) = run(scan.next_frame()).unwrap() {
            ordinals.extend(frame.records().map(|record| record.unwrap().position.ordinal()));
        }
        delivered.insert(epoch.epoch.millis(), ordinals);
    }
    delivered
}

fn names(disk: &MemDisk) -> Vec<String> {
    let entries = run(disk.list(&layout().raw_live())).unwrap();
    entries.into_iter().map(|entry| entry.name).collect()
}

fn torn_legacy() -> Vec<u8> {
    let mut bytes = LegacyBytes::new().record(b"a", 5).record(b"b", 6).bytes;
    bytes.truncate(bytes.len() - 10);
    bytes
}

/// What a crash may leave, of everything something.
fn crashed() -> MemDisk {
    let disk = raw_disk();
    disk.put(layout().checkpoint(), b"5");
    disk.put(layout().raw_history().join("4.raw"), &LegacyBytes::new().record(b"z", 4).bytes);
    put(&disk, "5.raw", &torn_legacy());
    // Whole.
    put_segment(&disk, &small(10, 0).frame(0, 2).sealed(3));
    put(&disk, "ready-3.rawlog", &small(10, 1).frame(2, 1).sealed(3).full(0));
    // Being written: shard 0 torn in its last frame; shard 1, not renamed yet, with a hole; shard 2 by direct I/O,
    // in a recycled file.
    let mut torn = small(11, 0).frame(0, 3).frame(5, 1).frame(10, 2);
    let at = torn.offsets[2] as usize + 50;
    torn.bytes[at..].fill(0);
    put(&disk, "11-0-0.rawlog", &torn.full(0));
    put(&disk, "ready-4.rawlog", &small(11, 1).frame(3, 2).hole().frame(8, 1).full(0));
    put(&disk, "11-2-0.rawlog", &SegmentBytes::new(11, 2, 0, 4096).file_bytes(20_480).frame(6, 1).full(0xee));
    // A shard's whole file was lost.
    put_segment(&disk, &small(12, 0).frame(0, 2).sealed(4));
    put(&disk, "ready-5.rawlog", &[0; 12_288]);
    put(&disk, "ready-6.rawlog", &[&[7; 4096][..], &[0; 8192]].concat());
    put(&disk, ".tmp-11.lost", b"3 ");
    disk
}

fn lost(disk: &MemDisk, millis: u64) -> Option<String> {
    let path = layout().live(RawName::Lost(crate::raw_log::test_support::epoch(millis)));
    disk.contents().get(&path).map(|bytes| String::from_utf8(bytes.clone()).unwrap())
}
