//! Every golden reply, read by the client's half and written again by the server's, is the same bytes.

use logtank_wire::client::response::{self, ResponseError};
use logtank_wire::message::MessageKind;
use logtank_wire::record::RecordView;
use logtank_wire::reply::{self, ExceptionKind};

use crate::golden;
use crate::naive::{Owned, receive_at_once};
use crate::records::{NaiveRecord, normalize, write};

fn written_again(reply: &Owned) -> Vec<u8> {
    let (dialect, name, sequence) = (reply.dialect, &reply.name[..], reply.sequence);
    let message = reply.message();
    let mut out = b"before".to_vec();
    if reply.kind == MessageKind::Exception {
        let Err(ResponseError::Exception { kind, text }) = response::void(&message) else {
            panic!("{reply:?}")
        };
        assert_eq!(kind, ExceptionKind::UnknownMethod as i32);
        reply::exception(&mut out, dialect, name, sequence, ExceptionKind::UnknownMethod, &text);
        return out.split_off(6);
    }
    match name {
        b"send_batch" | b"delete_index" => {
            response::void(&message).unwrap();
            reply::void(&mut out, dialect, name, sequence);
        }
        b"get_raw_log_info" => {
            let info = response::raw_log_info(&message).unwrap();
            reply::raw_log_info(&mut out, dialect, name, sequence, &info);
        }
        b"get_index_log_info" => {
            let info = response::index_log_info(&message).unwrap();
            reply::index_log_info(&mut out, dialect, name, sequence, &info);
        }
        b"get_optimization_queue" => {
            let queue = response::optimization_queue(&message).unwrap();
            reply::optimization_queue(&mut out, dialect, name, sequence, queue.into_iter());
        }
        b"list_existing_indexes" => {
            let indexes = response::existing_indexes(&message).unwrap();
            reply::existing_indexes(&mut out, dialect, name, sequence, indexes.into_iter());
        }
        b"read_page" => {
            let page = response::page(&message).unwrap();
            let (mut count, mut records) = (0, Vec::new());
            for record in page.records {
                let (view, bytes) = record.unwrap();
                check_record(&view, bytes);
                count += 1;
                records.extend_from_slice(bytes);
            }
            let next = page.next_page_token.as_ref();
            let at = reply::page_around(&mut out, dialect, name, sequence, (count, records.len()), next);
            out.splice(at..at, records);
        }
        other => panic!("{other:?}"),
    }
    out.split_off(6)
}

/// The original's merge gives some records an id of 0, and live ones have their index_code; all others are in the
/// form in which our encoders write them.
fn check_record(view: &RecordView<'_>, bytes: &[u8]) {
    if view.id.is_none() {
        assert_eq!(write(&NaiveRecord::of_view(view)), bytes);
    }
    if view.id.is_none() && view.index_code.is_none() {
        assert_eq!(normalize(bytes, view.timestamp_ms.unwrap()), bytes);
    }
}

#[test]
fn replies_are_written_as_the_original_writes_them() {
    let mut replies = 0;
    for case in golden::cases() {
        let (found, error) = receive_at_once(&case.response);
        assert_eq!(error, None, "{}", case.name);
        let again: Vec<u8> = found.iter().flat_map(written_again).collect();
        assert!(again == case.response, "{}", case.name);
        replies += found.len();
    }
    assert_eq!(replies, 80);
}

#[test]
fn infos_are_read_as_their_json_says() {
    let case = golden::case("14-info/220-get_index_log_info-m");
    let (found, _) = receive_at_once(&case.response);
    let info = response::index_log_info(&found[0].message()).unwrap();
    assert_eq!(info.optimized_segments[0].timestamp, 1_795_343_621_999);
    assert_eq!(info.optimized_segments[0].record_count, 21);
    assert!(
        info.optimized_segments[0].sorted
            && info.sorted_segments[0].sorted
            && !info.unsorted_segments[0].sorted
    );
    assert_eq!(
        (info.optimized_record_count, info.unoptimized_record_count, info.unoptimized_segments),
        (21, 6, 2)
    );
    assert_eq!(info.last_optimization_timestamp, 1_795_343_621_999);
    let case = golden::case("02-live-read/108-get_raw_log_info-two-live");
    let (found, _) = receive_at_once(&case.response);
    assert_eq!(response::raw_log_info(&found[0].message()).unwrap().undealt_segments.len(), 2);
}

#[test]
fn a_reply_of_another_method_is_no_result() {
    let case = golden::case("00-empty/005-list_existing_indexes-after-info");
    let (found, _) = receive_at_once(&case.response);
    let message = found[0].message();
    assert_eq!(response::raw_log_info(&message), Err(ResponseError::NoResult));
    assert_eq!(response::optimization_queue(&message), Err(ResponseError::NoResult));
    assert_eq!(response::page(&message).unwrap_err(), ResponseError::NoResult);
    let (found, _) = receive_at_once(&case.request);
    assert_eq!(response::void(&found[0].message()), Err(ResponseError::NotAReply));
}
