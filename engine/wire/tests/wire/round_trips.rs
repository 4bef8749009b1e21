//! Calls and replies, written by one side and read by the other.

use logtank_wire::batch::BatchError;
use logtank_wire::call::{CallError, ManagerCall, ReaderCall, WriterCall};
use logtank_wire::client::{request, response};
use logtank_wire::decode_error::DecodeError;
use logtank_wire::info::{IndexLogInfo, QueueScore, RawLogInfo, SegmentInfo};
use logtank_wire::kind::Kind;
use logtank_wire::message::{Dialect, Message, MessageKind};
use logtank_wire::page::LogPageToken;
use logtank_wire::reply::{self, ExceptionKind};
use proptest::prelude::*;

use crate::naive::{Owned, Value, any_dialect, any_value, only_message};
use crate::records::{NaiveRecord, any_record, write};

const UNFRAMED: Dialect = Dialect { strict: true, framed: false };

fn encoded(write: impl FnOnce(&mut Vec<u8>)) -> Owned {
    let mut out = b"before".to_vec();
    write(&mut out);
    only_message(&out[6..])
}

fn any_token() -> impl Strategy<Value = LogPageToken> {
    let longs = (any::<Option<i64>>(), any::<Option<i64>>(), any::<Option<i64>>(), any::<Option<i64>>());
    let text = prop::option::of(prop::collection::vec(any::<u8>(), 0..20));
    (any::<Option<i32>>(), any::<Option<i32>>(), any::<Option<bool>>(), longs, text).prop_map(
        |(
            kind,
            next_kind,
            obsolete_3,
            (timestamp, obsolete_1, file_position, next_timestamp),
            obsolete_2,
        )| {
            LogPageToken {
                kind,
                timestamp,
                obsolete_1,
                obsolete_2,
                file_position,
                obsolete_3,
                next_kind,
                next_timestamp,
            }
        },
    )
}

fn any_segments() -> impl Strategy<Value = Vec<SegmentInfo>> {
    let segment = (any::<[i64; 4]>(), any::<i32>(), any::<bool>()).prop_map(
        |([timestamp, end_timestamp, valid_length, actual_length], record_count, sorted)| SegmentInfo {
            timestamp,
            end_timestamp,
            valid_length,
            actual_length,
            record_count,
            sorted,
        },
    );
    prop::collection::vec(segment, 0..4)
}

proptest! {
    #[test]
    fn batches(records in prop::collection::vec(any_record(), 0..5), dialect in any_dialect(), sequence: i32) {
        let bytes: Vec<_> = records.iter().map(write).collect();
        let call = encoded(|out| request::send_batch(out, dialect, sequence, bytes.iter().map(|record| &record[..])));
        prop_assert_eq!((call.dialect, call.kind, call.sequence), (dialect, MessageKind::Call, sequence));
        let message = call.message();
        let WriterCall::SendBatch(batch) = WriterCall::parse(&message).unwrap();
        prop_assert_eq!(batch.len() as usize, records.len());
        let found: Vec<_> = batch.records().map(Result::unwrap).collect();
        prop_assert_eq!(found.iter().map(|(_, bytes)| bytes.to_vec()).collect::<Vec<_>>(), bytes);
        prop_assert_eq!(found.iter().map(|(view, _)| NaiveRecord::of_view(view)).collect::<Vec<_>>(), records);
        let reply = encoded(|out| reply::void(out, dialect, message.name, sequence));
        prop_assert_eq!((reply.dialect, reply.kind, reply.sequence), (dialect, MessageKind::Reply, sequence));
        prop_assert_eq!(response::void(&reply.message()), Ok(()));
    }

    #[test]
    fn pages(
        records in prop::collection::vec(any_record(), 0..5),
        token in any_token(),
        next in prop::option::of(any_token()),
        dialect in any_dialect(),
    ) {
        let call = encoded(|out| request::read_page(out, dialect, 3, b"code", &token));
        let message = call.message();
        let ReaderCall::ReadPage { index_code, token: received } = ReaderCall::parse(&message).unwrap();
        prop_assert_eq!((index_code, &received), (&b"code"[..], &token));

        let bytes: Vec<_> = records.iter().map(write).collect();
        let reply = encoded(|out| {
            let records = bytes.concat();
            let size = (u32::try_from(bytes.len()).unwrap(), records.len());
            let at = reply::page_around(out, dialect, message.name, message.sequence, size, next.as_ref());
            out.splice(at..at, records);
        });
        let message = reply.message();
        let page = response::page(&message).unwrap();
        prop_assert_eq!(page.records.map(|record| record.unwrap().1.to_vec()).collect::<Vec<_>>(), bytes);
        prop_assert_eq!(page.next_page_token, next);
    }

    #[test]
    fn infos(
        segments in (any_segments(), any_segments(), any_segments()),
        numbers: (i64, i64, i32, i64),
        dialect in any_dialect(),
    ) {
        let raw = RawLogInfo { undealt_segments: segments.0.clone(), dealer_next_timestamp: numbers.0 };
        let reply = encoded(|out| reply::raw_log_info(out, dialect, b"get_raw_log_info", 1, &raw));
        prop_assert_eq!(response::raw_log_info(&reply.message()), Ok(raw));
        let index = IndexLogInfo {
            optimized_segments: segments.0,
            sorted_segments: segments.1,
            unsorted_segments: segments.2,
            optimized_record_count: numbers.0,
            unoptimized_record_count: numbers.1,
            unoptimized_segments: numbers.2,
            last_optimization_timestamp: numbers.3,
        };
        let reply = encoded(|out| reply::index_log_info(out, dialect, b"get_index_log_info", 1, &index));
        prop_assert_eq!(response::index_log_info(&reply.message()), Ok(index));
    }

    #[test]
    fn queues_and_indexes(codes in prop::collection::vec("[a-z]{0,5}", 0..5), dialect in any_dialect()) {
        let codes: Vec<&[u8]> = codes.iter().map(String::as_bytes).collect();
        let reply = encoded(|out| reply::existing_indexes(out, dialect, b"m", 1, codes.iter().copied()));
        prop_assert_eq!(response::existing_indexes(&reply.message()).unwrap(), codes.clone());
        let score = QueueScore { priority: -10, score: 1.5 };
        let queue: Vec<_> = codes.into_iter().map(|code| (code, score)).collect();
        let reply = encoded(|out| reply::optimization_queue(out, dialect, b"m", 1, queue.iter().copied()));
        prop_assert_eq!(response::optimization_queue(&reply.message()).unwrap(), queue);
    }

    #[test]
    fn exceptions(text in ".{0,40}", dialect in any_dialect()) {
        let kind = ExceptionKind::InternalError;
        let reply = encoded(|out| reply::exception(out, dialect, b"send_batch", -1, kind, &text));
        prop_assert_eq!(reply.kind, MessageKind::Exception);
        let expected = response::ResponseError::Exception { kind: 6, text };
        prop_assert_eq!(response::page(&reply.message()).unwrap_err(), expected.clone());
        prop_assert_eq!(response::void(&reply.message()), Err(expected));
    }

    #[test]
    fn any_body_is_a_call_and_a_reply_or_an_error(
        body in prop_oneof![
            prop::collection::vec(0..16u8, 0..100),
            any_value(5).prop_map(|value| [&[value.kind().code(), 0, 1][..], &value.bytes(), &[0]].concat()),
            any_value(5).prop_map(|value| [&[value.kind().code(), 0, 0][..], &value.bytes(), &[0]].concat()),
        ],
    ) {
        let message = |name| Message { dialect: UNFRAMED, kind: MessageKind::Reply, name, sequence: 1, body: &body };
        if let Ok(WriterCall::SendBatch(batch)) = WriterCall::parse(&message(b"send_batch")) {
            prop_assert!(batch.records().count() <= body.len());
        }
        let _ = ReaderCall::parse(&message(b"read_page"));
        let _ = ManagerCall::parse(&message(b"enqueue_for_optimization"));
        let reply = message(b"");
        if let Ok(page) = response::page(&reply) {
            prop_assert!(page.records.count() <= body.len());
        }
        let _ = response::index_log_info(&reply);
        let _ = response::raw_log_info(&reply);
        let _ = response::optimization_queue(&reply);
        let _ = response::existing_indexes(&reply);
        let _ = response::void(&Message { kind: MessageKind::Exception, ..reply });
    }
}

#[test]
fn calls_of_the_manager() {
    let received = |call: &Owned, expected: ManagerCall<'_>| {
        assert_eq!(ManagerCall::parse(&call.message()), Ok(expected));
    };
    for framed in [false, true] {
        let dialect = Dialect { framed, strict: true };
        let index_code = &b"code"[..];
        let call = encoded(|out| request::get_index_log_info(out, dialect, 1, index_code));
        received(&call, ManagerCall::GetIndexLogInfo { index_code });
        let call = encoded(|out| request::delete_index(out, dialect, 1, index_code));
        received(&call, ManagerCall::DeleteIndex { index_code });
        let call = encoded(|out| request::enqueue_for_optimization(out, dialect, 1, index_code, -3, 0.5));
        received(&call, ManagerCall::EnqueueForOptimization { index_code, priority: -3, score: 0.5 });
        received(&encoded(|out| request::get_raw_log_info(out, dialect, 1)), ManagerCall::GetRawLogInfo);
        received(
            &encoded(|out| request::get_optimization_queue(out, dialect, 1)),
            ManagerCall::GetOptimizationQueue,
        );
        received(
            &encoded(|out| request::list_existing_indexes(out, dialect, 1)),
            ManagerCall::ListExistingIndexes,
        );
    }
}

#[test]
fn a_missing_argument_is_named() {
    let parse = |fields| {
        let body = Value::Struct(fields).bytes();
        let name = &b"enqueue_for_optimization"[..];
        let message = Message { dialect: UNFRAMED, kind: MessageKind::Call, name, sequence: 1, body: &body };
        ManagerCall::parse(&message).map(|_| ()).map_err(|error| (error.exception_kind(), error.to_string()))
    };
    let missing = |argument: &str| {
        let text = format!("enqueue_for_optimization needs its argument {argument}");
        Err((ExceptionKind::InternalError, text))
    };
    let code = (1, Value::string("code"));
    assert_eq!(parse(vec![]), missing("1: string index_code"));
    assert_eq!(parse(vec![code.clone()]), missing("2: i32 priority"));
    assert_eq!(parse(vec![code.clone(), (2, Value::I64(1))]), missing("2: i32 priority"));
    assert_eq!(parse(vec![code, (2, Value::I32(1))]), missing("3: double score"));
}

#[test]
fn a_batch_given_twice_is_refused_at_its_end() {
    let batch = Value::Struct(vec![(1, Value::List(Kind::Struct, vec![Value::Struct(vec![])]))]);
    let refused = |fields: Vec<(i16, Value)>| {
        let body = Value::Struct(fields).bytes();
        let message = Message {
            dialect: UNFRAMED,
            kind: MessageKind::Call,
            name: b"send_batch",
            sequence: 1,
            body: &body,
        };
        let WriterCall::SendBatch(batch) = WriterCall::parse(&message).unwrap();
        let mut records = batch.records();
        assert!(records.next().unwrap().is_ok());
        let refused = matches!(records.next(), Some(Err(DecodeError::Malformed { .. })));
        assert!(records.next().is_none());
        refused
    };
    assert!(!refused(vec![(1, batch.clone())]));
    assert!(!refused(vec![
        (7, Value::I32(1)),
        (1, batch.clone()),
        (9, Value::string("x")),
        (1, Value::I32(1))
    ]));
    assert!(refused(vec![(1, batch.clone()), (1, batch.clone())]));
    let Value::Struct(list) = batch else { panic!() };
    assert!(refused(vec![(1, Value::Struct([&list[..], &list].concat()))]));
    assert!(!refused(vec![(
        1,
        Value::Struct([&list[..], &[(1, Value::I32(1)), (2, Value::I32(1))]].concat())
    )]));
}

#[test]
fn a_list_that_claims_more_records_than_bytes_is_refused() {
    let body = b"\x0c\0\x01\x0f\0\x01\x0c\0\0\0\x03\0\0";
    let message =
        Message { dialect: UNFRAMED, kind: MessageKind::Call, name: b"send_batch", sequence: 1, body };
    let error = WriterCall::parse(&message).unwrap_err();
    assert!(
        matches!(error, CallError::Batch(BatchError::Malformed(DecodeError::Malformed { .. }))),
        "{error}"
    );
    assert_eq!(error.exception_kind(), ExceptionKind::ProtocolError);
}

#[test]
fn a_record_that_can_not_be_read_ends_the_batch() {
    // Two records, the second of which has a field of no type.
    let body = b"\x0c\0\x01\x0f\0\x01\x0c\0\0\0\x02\0\x01\0\x01\0\0\0";
    let message =
        Message { dialect: UNFRAMED, kind: MessageKind::Call, name: b"send_batch", sequence: 1, body };
    let WriterCall::SendBatch(batch) = WriterCall::parse(&message).unwrap();
    let mut records = batch.records();
    assert!(records.next().unwrap().is_ok());
    assert!(records.next().unwrap().is_err());
    assert!(records.next().is_none());
}

#[test]
fn an_unknown_name_is_shown_harmlessly() {
    let name = [b"x\n\xff<".to_vec(), vec![b'y'; 100]].concat();
    let message =
        Message { dialect: UNFRAMED, kind: MessageKind::Call, name: &name, sequence: 1, body: b"\0" };
    let error = ReaderCall::parse(&message).unwrap_err();
    assert_eq!(error.exception_kind(), ExceptionKind::UnknownMethod);
    let shown = format!(
        "Invalid method name: 'x\\n\\xff<{}'; this is the port of LogReader: read_page",
        "y".repeat(60)
    );
    assert_eq!(error.to_string(), shown);
}
