//! One record.

use logtank_engine::index_log::Record;
use logtank_wire::record::{RecordView, record_bytes, write_normalized};

/// What parses is as long as a scan says, and means the same when it is written again.
pub(crate) fn records(data: &[u8]) {
    let Ok((view, length)) = RecordView::parse(data) else { return };
    assert_eq!(record_bytes(data), Ok(length), "scanning and parsing disagree");
    assert!(length <= data.len());
    let record = Record::from_view(&view);
    let mut written = Vec::new();
    record.write(&mut written);
    let (again, length) = RecordView::parse(&written).expect("what was written parses");
    assert_eq!(length, written.len());
    let mut twice = Vec::new();
    Record::from_view(&again).write(&mut twice);
    assert_eq!(written, twice, "written twice, not the same");
    let mut normalized = Vec::new();
    write_normalized(&mut normalized, &view, 5);
    let (normal, _) = RecordView::parse(&normalized).expect("what was normalized parses");
    assert_eq!(normal.timestamp_ms, Some(5));
    // An index's own segment does not repeat its name.
    assert_eq!((normal.id, normal.index_code, normal.deleted), (None, None, view.deleted));
    let text = |bytes: Option<&[u8]>| bytes.map(|bytes| std::str::from_utf8(bytes).map(str::len));
    assert!(text(normal.docid).is_none_or(|text| text.is_ok()), "normalized, but not text");
    assert_eq!(normal.docid.is_some(), view.docid.is_some());
    let mut again = Vec::new();
    write_normalized(&mut again, &normal, 5);
    assert_eq!(normalized, again, "normalized twice, not the same");
}
