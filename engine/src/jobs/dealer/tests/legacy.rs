use crate::testing::store;
use logtank_wire::record::RecordWriter;

use super::*;

fn record(code: &[u8], docid: Option<&[u8]>, text: Option<&str>, time: i64) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = RecordWriter::begin(&mut bytes);
    writer.timestamp_ms(time);
    writer.index_code(code);
    if let Some(docid) = docid {
        writer.docid(docid);
    }
    if let Some(text) = text {
        writer.fields([(&b"text"[..], text.as_bytes())].into_iter());
    }
    writer.finish();
    bytes
}

fn put(disk: &MemDisk, millis: u64, records: &[Vec<u8>]) {
    disk.put(layout().raw_live().join(format!("{millis}.raw")), &records.concat());
}

#[test]
fn poison_of_the_original_is_set_aside_and_stops_nobody() {
    let poison = [
        record(b"../../x", Some(b"d"), Some("t"), 10),
        record(b"", Some(b"d"), Some("t"), 10),
        record(&[b'a'; 300], Some(b"d"), Some("t"), 10),
        record(b"nul\0", Some(b"d"), Some("t"), 10),
        record(b"good", None, Some("t"), 10),
    ];
    for memory in [1 << 20, 100] {
        let disk = empty();
        let mut records = poison.to_vec();
        records.insert(2, record(b"good", Some(b"d"), Some("t"), 10));
        records.push(record(b"good", None, None, 10));
        put(&disk, 10, &records);
        put(&disk, 20, &[]);
        let dealt = deal_all(&mut dealer(&disk, memory), &DeletionLog::new());
        assert_eq!(dealt.len(), 1, "the last file of the original may still be written to");
        assert_eq!((dealt[0].rejected_records, dealt[0].empty_records, dealt[0].records()), (5, 1, 1));
        assert_eq!(contents(&disk)["good"], [("d".to_owned(), "t".to_owned())]);
        let aside = layout().rejected().join("1970.01.01-00.00.00.010.unsorted_5");
        assert_eq!(disk.get(aside).unwrap(), poison.concat(), "as received, in order");
        assert!(disk.files().iter().all(|path| path.starts_with("/data")));
    }
}

#[test]
fn the_originals_records_keep_their_own_time_and_empty_files_are_archived() {
    let disk = empty();
    put(&disk, 10, &[record(b"a", Some(b"d"), Some("t"), 7)]);
    put(&disk, 15, &[]);
    put(&disk, 20, &[]);
    RawEpoch::new(25, 1).put(&store(&disk, &layout()), true);
    let mut last = RawEpoch::new(30, 1);
    last.frame(0, &[raw_record("a", "d", None)]);
    last.put(&store(&disk, &layout()), false);
    let dealt = deal_all(&mut dealer(&disk, 1 << 20), &DeletionLog::new());
    assert_eq!(dealt.iter().map(|dealt| dealt.epoch.millis()).collect::<Vec<_>>(), [10, 15, 20, 25]);
    assert_eq!((checkpoint(&disk), live(&disk)), (epoch(26), 1));
    let segment = disk.get("/data/indexes/a/segments/1970.01.01-00.00.00.010.unsorted_1").unwrap();
    assert_eq!(RecordView::parse(&segment).unwrap().0.timestamp_ms, Some(7));
}

/// The original had dealt an epoch and died before it said so.
#[test]
fn segments_that_the_original_dealt_from_an_epoch_still_in_live_are_dealt_anew() {
    let disk = empty();
    put(&disk, 10, &[record(b"a", Some(b"d"), Some("t"), 10)]);
    put(&disk, 20, &[]);
    disk.put(layout().checkpoint(), b"10");
    disk.put("/data/indexes/a/segments/1970.01.01-00.00.00.010.unsorted_1", b"torn");
    deal_all(&mut dealer(&disk, 1 << 20), &DeletionLog::new());
    assert_eq!(contents(&disk)["a"], [("d".to_owned(), "t".to_owned())]);
}

macro_rules! golden {
    ($path:literal) => {
        ($path, &include_bytes!(concat!("../../../../../tests/golden/tree/10-three-unsorted/", $path))[..])
    };
}

#[test]
fn what_the_original_dealt_is_dealt_to_the_same_bytes() {
    let disk = empty();
    let raw = [
        golden!("raw/history/1795343619460.raw"),
        golden!("raw/history/1795343620231.raw"),
        golden!("raw/history/1795343621150.raw"),
        golden!("raw/live/1795343621999.raw"),
    ];
    for (path, bytes) in raw {
        disk.put(layout().raw_live().join(Path::new(path).file_name().unwrap()), bytes);
    }
    let dealt = deal_all(&mut dealer(&disk, 1 << 20), &DeletionLog::new());
    assert_eq!(dealt.len(), 3, "the last one may still be written to");
    let segments = [
        golden!("indexes/k/segments/2026.11.22-10.33.39.460.unsorted_2"),
        golden!("indexes/k/segments/2026.11.22-10.33.41.150.unsorted_2"),
        golden!("indexes/m/segments/2026.11.22-10.33.39.460.unsorted_19"),
        golden!("indexes/m/segments/2026.11.22-10.33.40.231.unsorted_11"),
        golden!("indexes/m/segments/2026.11.22-10.33.41.150.unsorted_5"),
    ];
    for (path, bytes) in segments {
        assert_eq!(disk.get(layout().data().join(path)).as_deref(), Some(bytes), "{path}");
    }
    let published = disk.files().into_iter().filter(|path| path.starts_with(layout().indexes()));
    assert_eq!(published.count(), 2 * segments.len(), "and their sidecars");
}
