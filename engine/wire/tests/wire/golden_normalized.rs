//! What the original made of the golden batches is what our normal form makes of them.

use logtank_wire::call::WriterCall;
use logtank_wire::client::response;
use logtank_wire::record::RecordView;

use crate::golden;
use crate::naive::{Value, receive_at_once};
use crate::records::{NaiveRecord, normalize};

/// Records of an index as the original took them from the writes, in order.
fn written(index_code: &[u8]) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    for case in golden::cases().into_iter().filter(|case| case.name.starts_with("01-writes/")) {
        // The original kept what was in front of the bad record of a batch, and closed the connection.
        let is_partial = case.name.ends_with("030-partial-batch");
        if case.response.is_empty() && !is_partial {
            continue;
        }
        for message in receive_at_once(&case.request).0 {
            let Ok(WriterCall::SendBatch(batch)) = WriterCall::parse(&message.message()) else { continue };
            let kept = if is_partial { 1 } else { batch.len() as usize };
            let batch = batch.records().take(kept).map(Result::unwrap);
            let own = batch.filter(|(record, _)| record.index_code == Some(index_code));
            records.extend(own.map(|(_, bytes)| bytes.to_vec()));
        }
    }
    records
}

/// The original replaces every NaN by this one; LogTank keeps it as it came.
const NAN: u64 = 0x7ff8_0000_0000_0000;

fn with_one_nan(mut record: NaiveRecord) -> NaiveRecord {
    for (_, bits) in record.variables.iter_mut().flatten() {
        if f64::from_bits(*bits).is_nan() {
            *bits = NAN;
        }
    }
    record
}

#[test]
fn the_normal_form_is_what_the_original_stored() {
    let mut compared = 0;
    for (index_code, page) in [("idx1", "101-recovery-idx1-page00"), ("idx2", "102-recovery-idx2-page00")] {
        let case = golden::case(&format!("02-live-read/{page}"));
        let reply = &receive_at_once(&case.response).0[0];
        let page = response::page(&reply.message()).unwrap();
        let written = written(index_code.as_bytes());
        assert_eq!(page.records.clone().count(), written.len());
        for (stored, received) in page.records.zip(&written) {
            let mut stored = NaiveRecord::of_view(&stored.unwrap().0);
            assert_eq!(stored.index_code.take().as_deref(), Some(index_code.as_bytes()));
            let normal = normalize(received, stored.timestamp_ms.unwrap());
            let normal = NaiveRecord::of_view(&RecordView::parse(&normal).unwrap().0);
            assert_eq!(with_one_nan(normal).sorted(), stored.sorted());
            compared += 1;
        }
    }
    assert_eq!(compared, 44);
}

#[test]
fn keys_that_become_equal_as_text_are_one_key() {
    let string = |bytes: &[u8]| Value::String(bytes.to_vec());
    let map = Value::Map(
        logtank_wire::kind::Kind::String,
        logtank_wire::kind::Kind::String,
        vec![
            (string(b"k\x80"), string(b"1")),
            (string(b"x"), string(b"2")),
            (string(b"k\x81"), string(b"3")),
        ],
    );
    let normal = normalize(&Value::Struct(vec![(6, map)]).bytes(), 7);
    let record = NaiveRecord::of_view(&RecordView::parse(&normal).unwrap().0);
    let text = |text: &str| text.as_bytes().to_vec();
    assert_eq!(record.fields, Some(vec![(text("k\u{fffd}"), text("3")), (text("x"), text("2"))]));
    assert_eq!((record.timestamp_ms, record.docid, record.deleted), (Some(7), None, false));
}
