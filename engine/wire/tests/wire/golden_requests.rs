//! Every golden request says what its JSON says.

use logtank_wire::call::{ManagerCall, ReaderCall, WriterCall};
use logtank_wire::inbound::Inbound;
use logtank_wire::kind::Kind;
use logtank_wire::message::{Message, MessageKind};
use logtank_wire::page::LogPageToken;

use crate::golden::{self, Case};
use crate::naive::{LIMITS, Owned, Value, receive, receive_at_once};
use crate::records::NaiveRecord;

/// Cases that are not whole, well-formed messages for LogTank, or that are more for it than for the original.
const ODD: [&str; 13] = [
    "01-writes/049-raw-bad-version",
    "01-writes/050-raw-framed",
    "01-writes/051-raw-http",
    "01-writes/052-raw-truncated-halfclose",
    "01-writes/053-raw-truncated-open",
    "01-writes/054-raw-negative-string-len",
    "01-writes/055-raw-negative-list-size",
    "40-poison/501-no_docid_with_fields",
    "45-hostile/801-list-size-0x3fffffff",
    "45-hostile/802-list-size-0x7fffffff",
    "45-hostile/803-string-size-0x7fffffff",
    "45-hostile/804-map-size-0x7fffffff",
    "45-hostile/805-method-name-size-huge",
];

fn good_cases() -> Vec<Case> {
    golden::cases().into_iter().filter(|case| !ODD.contains(&&case.name[..])).collect()
}

#[test]
fn messages_are_found_and_say_what_was_sent() {
    for case in good_cases() {
        let (found, error) = receive_at_once(&case.request);
        assert_eq!(error, None, "{}", case.name);
        let expected = case.json["request"].as_array().unwrap();
        assert_eq!(found.len(), expected.len(), "{}", case.name);
        for (found, expected) in found.iter().zip(expected) {
            check(&case, found, expected);
        }
    }
}

fn check(case: &Case, found: &Owned, expected: &serde_json::Value) {
    let kind = match expected["type"].as_str().unwrap() {
        "CALL" => MessageKind::Call,
        "REPLY" => MessageKind::Reply,
        "ONEWAY" => MessageKind::Oneway,
        other => panic!("{other}"),
    };
    assert_eq!(found.kind, kind);
    assert_eq!(found.name, expected["name"].as_str().unwrap().as_bytes());
    assert_eq!(i64::from(found.sequence), expected["seqid"].as_i64().unwrap());
    assert_eq!(found.dialect.strict, !case.name.ends_with("raw-unversioned"));
    assert!(!found.dialect.framed);
    let arguments = golden::fields_of(&expected["struct"]);
    if !case.name.ends_with("raw-bool-2") {
        let mut rest = &found.body[..];
        assert_eq!(Value::read(Kind::Struct, &mut rest), Value::Struct(arguments.clone()), "{}", case.name);
        assert!(rest.is_empty());
    }
    match case.json["port"].as_i64().unwrap() {
        15000 => check_writer_call(case, &found.message(), &arguments),
        15100 => check_reader_call(&found.message(), &arguments),
        16000 => check_manager_call(&found.message(), &arguments),
        other => panic!("port {other}"),
    }
}

/// The last field of a struct with this id.
fn field(fields: &[(i16, Value)], id: i16) -> Option<&Value> {
    fields.iter().rev().find(|field| field.0 == id).map(|field| &field.1)
}

fn check_writer_call(case: &Case, message: &Message<'_>, arguments: &[(i16, Value)]) {
    let call = WriterCall::parse(message);
    let refusal = match &case.name[..] {
        "01-writes/031-batch-null" => Some("send_batch needs its argument 1, a LogBatch"),
        "01-writes/032-records-null" => {
            Some("a LogBatch needs its field 1, a list of LogRecord; it may be empty")
        }
        "01-writes/046-raw-unknown-method" => {
            Some("Invalid method name: 'no_such_method'; this is the port of LogWriter: send_batch")
        }
        "01-writes/047-raw-read_page-on-writer-port" => {
            Some("Invalid method name: 'read_page'; this is the port of LogWriter: send_batch")
        }
        "01-writes/056-raw-list-wrong-elem-type" => {
            Some("the records of a LogBatch must be structs, not Thrift type 8")
        }
        _ => None,
    };
    if let Some(refusal) = refusal {
        assert_eq!(call.unwrap_err().to_string(), refusal);
        return;
    }
    let WriterCall::SendBatch(batch) = call.unwrap();
    let Some(Value::Struct(batch_fields)) = field(arguments, 1) else { panic!("{}", case.name) };
    let Some(Value::List(_, records)) = field(batch_fields, 1) else { panic!("{}", case.name) };
    assert_eq!(batch.len() as usize, records.len());
    assert_eq!(batch.is_empty(), records.is_empty());
    let mut expected = records.iter();
    for record in batch.records() {
        let (view, bytes) = record.unwrap();
        let Some(Value::Struct(fields)) = expected.next() else { panic!("{}", case.name) };
        assert_eq!(NaiveRecord::of_view(&view), NaiveRecord::of_fields(fields), "{}", case.name);
        let mut rest = bytes;
        Value::read(Kind::Struct, &mut rest);
        assert!(rest.is_empty(), "a record's bytes are the record");
    }
    assert!(expected.next().is_none());
}

fn check_reader_call(message: &Message<'_>, arguments: &[(i16, Value)]) {
    let call = ReaderCall::parse(message);
    let (code, token) = match (field(arguments, 1), field(arguments, 2)) {
        (None, _) => {
            assert_eq!(call.unwrap_err().to_string(), "read_page needs its argument 1: string index_code");
            return;
        }
        (_, None) => {
            let text = "read_page needs its argument 2: LogPageToken token (an empty one begins a recovery)";
            assert_eq!(call.unwrap_err().to_string(), text);
            return;
        }
        (Some(Value::String(code)), Some(Value::Struct(token))) => (code, token),
        other => panic!("{other:?}"),
    };
    let i32_of = |id| match field(token, id) {
        Some(Value::I32(value)) => Some(*value),
        _ => None,
    };
    let Some(next_timestamp) = field(token, 8) else {
        let expected = LogPageToken { kind: i32_of(1), ..LogPageToken::default() };
        assert!(expected.is_initial());
        assert_eq!(call, Ok(ReaderCall::ReadPage { index_code: code, token: expected }));
        return;
    };
    let Value::I64(next_timestamp) = next_timestamp else { panic!("{next_timestamp:?}") };
    let expected = LogPageToken {
        kind: i32_of(1),
        next_kind: i32_of(7),
        next_timestamp: Some(*next_timestamp),
        ..LogPageToken::default()
    };
    assert!(!expected.is_initial());
    assert_eq!(call, Ok(ReaderCall::ReadPage { index_code: code, token: expected }));
}

fn check_manager_call(message: &Message<'_>, arguments: &[(i16, Value)]) {
    let call = ManagerCall::parse(message);
    let index_code: &[u8] = match field(arguments, 1) {
        Some(Value::String(code)) => code,
        _ => b"",
    };
    let expected = match message.name {
        b"get_raw_log_info" => ManagerCall::GetRawLogInfo,
        b"get_optimization_queue" => ManagerCall::GetOptimizationQueue,
        b"list_existing_indexes" => ManagerCall::ListExistingIndexes,
        b"get_index_log_info" => ManagerCall::GetIndexLogInfo { index_code },
        b"delete_index" => ManagerCall::DeleteIndex { index_code },
        b"nope" => {
            let text = call.unwrap_err().to_string();
            assert!(
                text.starts_with("Invalid method name: 'nope'; this is the port of LogManager: "),
                "{text}"
            );
            return;
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(call, Ok(expected));
}

#[test]
fn the_framed_request_is_understood() {
    let (found, error) = receive_at_once(&golden::case("01-writes/050-raw-framed").request);
    assert_eq!((found.len(), error), (1, None));
    assert!(found[0].dialect.framed && found[0].dialect.strict);
    let WriterCall::SendBatch(batch) = WriterCall::parse(&found[0].message()).unwrap();
    let (record, _) = batch.records().next().unwrap().unwrap();
    assert_eq!(record.docid, Some(&b"raw1"[..]));
}

#[test]
fn a_request_cut_anywhere_waits_for_more() {
    for case in good_cases() {
        let whole = receive_at_once(&case.request).0;
        let ends = (0..case.request.len()).filter(|end| case.request.len() < 2000 || end % 4099 == 0);
        for end in ends {
            let mut inbound = Inbound::new(LIMITS);
            let (found, error) = receive(&mut inbound, [&case.request[..end]]);
            assert_eq!(error, None, "{} at {end}", case.name);
            assert!(found.len() < whole.len());
            let (rest, error) = receive(&mut inbound, [&case.request[end..]]);
            assert_eq!(error, None, "{} at {end}", case.name);
            assert!([found, rest].concat() == whole, "{} at {end}", case.name);
        }
    }
}
