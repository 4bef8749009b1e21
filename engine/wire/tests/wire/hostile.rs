//! Input that must be refused, at once and in bounded memory.

use logtank_wire::inbound::{Inbound, InboundLimits, ProtocolError};
use logtank_wire::message::Dialect;

use crate::golden;
use crate::naive::{LIMITS, receive, receive_at_once};

const STRICT: Dialect = Dialect { strict: true, framed: false };

fn refused(bytes: &[u8]) -> ProtocolError {
    let (found, error) = receive_at_once(bytes);
    assert!(found.is_empty());
    let error = error.expect("refused");
    // The same, whether the bytes come together or one by one.
    let (found, one_by_one) = receive(&mut Inbound::new(LIMITS), bytes.chunks(1));
    assert!(found.is_empty() && one_by_one.is_some());
    error
}

fn golden_error(name: &str) -> ProtocolError {
    refused(&golden::case(name).request)
}

#[test]
fn golden_bad_input_is_refused_with_a_reason_and_an_address() {
    let send_batch = |sequence| Some((STRICT, b"send_batch".to_vec(), sequence));
    let length = "a value does not end within the message's length";
    for (name, what, call) in [
        ("01-writes/049-raw-bad-version", "begins with another version than Thrift's 0x8001", None),
        ("01-writes/051-raw-http", "begins like HTTP", None),
        ("01-writes/054-raw-negative-string-len", "a length is negative (byte 36", send_batch(1)),
        ("01-writes/055-raw-negative-list-size", "a length is negative (byte 29", send_batch(1)),
        ("45-hostile/801-list-size-0x3fffffff", length, send_batch(1)),
        ("45-hostile/802-list-size-0x7fffffff", length, send_batch(1)),
        ("45-hostile/803-string-size-0x7fffffff", length, send_batch(1)),
        ("45-hostile/804-map-size-0x7fffffff", length, send_batch(1)),
        ("45-hostile/805-method-name-size-huge", "the length of a method's name", Some((STRICT, vec![], 0))),
    ] {
        let error = golden_error(name);
        assert!(error.what.contains(what), "{name}: {error}");
        assert_eq!(error.call, call, "{name}");
    }
}

#[test]
fn golden_truncated_requests_wait_for_more() {
    for name in ["01-writes/052-raw-truncated-halfclose", "01-writes/053-raw-truncated-open"] {
        let bytes = golden::case(name).request;
        let mut inbound = Inbound::new(LIMITS);
        assert_eq!(receive(&mut inbound, [&bytes[..]]), (vec![], None));
        assert_eq!(inbound.pending_bytes(), bytes.len());
    }
}

/// A strict, unframed call of `m` with these bytes as its arguments.
fn call(arguments: &[u8]) -> Vec<u8> {
    [b"\x80\x01\0\x01\0\0\0\x01m\0\0\0\x07", arguments].concat()
}

#[test]
fn other_protocols_are_named() {
    let what = |bytes: &[u8]| refused(bytes).to_string();
    assert!(what(b"POST /x HTTP/1.1\r\n").contains("HTTP"));
    assert!(what(b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03").contains("TLS"));
    assert!(what(b"\x82\x21\x01\x04ping").contains("another version"), "the compact protocol");
    assert!(what(b"\0\0\0\x05\x01\x02\x03\x04\x05").contains("does not begin with a Thrift message"));
    assert!(what(b"quit\r\n").contains("out of range"));
    assert!(what(b"\0\0\0\x17[1,\"send_batch\",1,1,{}]").contains("TJSONProtocol"));
    assert!(what(b"\0\0\0\x20\x0f\xff\0\0\0\0\0\x01").contains("THeaderTransport"));
}

#[test]
fn who_can_not_be_understood_is_answered_all_the_same() {
    let framed = Dialect { strict: true, framed: true };
    for (bytes, dialect) in [
        (&b"GET / HTTP/1.1\r\n"[..], STRICT),
        (b"\x82\x21\x01\x04ping", STRICT),
        (b"\0\0\0\x08\x82\x21\x01\x04ping", framed),
        (b"\0\0\0\x20\x0f\xff\0\0", framed),
        (b"\0\0\0\x17[1,\"send_batch\"", framed),
        (b"\xff\xff\xff\xff\xff", STRICT),
    ] {
        assert_eq!(refused(bytes).address(), (dialect, &b""[..], 0), "{}", bytes.escape_ascii());
    }
    let known = refused(b"\x80\x01\0\x05\0\0\0\x01m\0\0\0\x07\0");
    assert_eq!(known.address(), (STRICT, &b"m"[..], 7));
}

#[test]
fn values_of_no_type_are_refused() {
    for arguments in [
        &b"\x01\0\x01"[..],
        b"\x10\0\x01",
        b"\xff\0\x01",
        b"\x0f\0\x01\x01\0\0\0\x01",
        b"\x0d\0\x01\x0b\x05\0\0\0\x01",
    ] {
        assert!(refused(&call(arguments)).what.starts_with("no such Thrift type"));
    }
    // An empty container may say anything about what it does not hold.
    assert_eq!(receive_at_once(&call(b"\x0f\0\x01\0\0\0\0\0\0")).0.len(), 1);
}

#[test]
fn kinds_of_messages_that_do_not_exist_are_refused() {
    let error = refused(b"\x80\x01\0\x05\0\0\0\x01m\0\0\0\x07\0");
    assert!(error.what.starts_with("a message is neither"));
    assert_eq!(error.call, Some((STRICT, b"m".to_vec(), 7)));
}

#[test]
fn a_name_is_1_to_256_bytes_long() {
    let named = |length: u16| {
        let head = [b"\x80\x01\0\x01\0\0".to_vec(), length.to_be_bytes().to_vec()].concat();
        [head, vec![b'm'; length.into()], vec![0; 5]].concat()
    };
    assert_eq!(receive_at_once(&named(256)).0[0].name.len(), 256);
    refused(&named(0));
    refused(&named(257));
}

#[test]
fn deep_nesting_is_refused_where_it_gets_too_deep() {
    // The arguments are one level, so 31 more are allowed.
    let nested = |levels: usize| call(&[[12, 0, 1].repeat(levels), vec![0; levels + 1]].concat());
    assert_eq!(receive_at_once(&nested(31)).0.len(), 1);
    let error = refused(&nested(32));
    assert!(error.what.starts_with("values are nested too deep"), "{error}");
    let lists = call(&[&b"\x0f\0\x01"[..], &b"\x0f\0\0\0\x01".repeat(100_000)].concat());
    assert!(refused(&lists).what.starts_with("values are nested too deep"));
}

#[test]
fn a_message_over_the_limit_is_refused_before_it_is_received() {
    let limits = InboundLimits { message_bytes_max: 100, depth_max: 32 };
    let refused = |bytes: &[u8]| receive(&mut Inbound::new(limits), [bytes]).1.map(|error| error.hint);
    let hint = Some("send less in one message, or raise message_bytes_max");
    // Head 13 bytes, field 3, length 4, string, stop 1.
    let string =
        |length: u8| call(&[b"\x0b\0\x01\0\0\0".to_vec(), vec![length], vec![b'x'; length.into()]].concat());
    assert_eq!(refused(&[string(79), vec![0]].concat()), None);
    assert_eq!(refused(&string(80)), hint, "there is no room for the stop byte");
    assert_eq!(refused(&string(81)[..20]), hint);
    // A list of 10 doubles, of 77 structs, of 20 strings and of 16 maps can just not be.
    for list in [&b"\x0f\0\x01\x04\0\0\0\x0a"[..], b"\x0f\0\x01\x0c\0\0\0\x50", b"\x0f\0\x01\x0b\0\0\0\x14"] {
        assert_eq!(refused(&call(list)), hint);
    }
    // Unending small fields.
    assert_eq!(refused(&call(&b"\x02\0\x01\x01".repeat(30))), hint);
    // Framed.
    assert_eq!(refused(b"\0\0\0\x65\x80"), hint);
    assert_eq!(refused(b"\0\0\0\x64\x80"), None);
}

#[test]
fn a_frame_holds_exactly_one_message() {
    let framed = |length: u8, message: &[u8]| [&[0, 0, 0, length], message].concat();
    let message = call(b"\0");
    let exact = u8::try_from(message.len()).unwrap();
    assert_eq!(receive_at_once(&framed(exact, &message)).0.len(), 1);
    let long = refused(&framed(exact + 1, &[&message[..], b"\0"].concat()));
    assert!(long.what.starts_with("a frame does not end with its message"), "{long}");
    assert_eq!(long.call, Some((Dialect { strict: true, framed: true }, b"m".to_vec(), 7)));
    let short = refused(&framed(exact - 1, &message));
    assert!(short.what.starts_with("a message's head does not end within its length"), "{short}");
    let empty = refused(&framed(0, &message));
    assert!(empty.what.starts_with("a frame is too short"), "{empty}");
}

#[test]
fn garbage_behind_a_good_message_is_refused_and_the_message_is_served() {
    let (found, error) = receive_at_once(&[call(b"\0"), b"GET / HTTP/1.1\r\n".to_vec()].concat());
    assert_eq!(found.len(), 1);
    let error = error.unwrap();
    assert!(error.what.starts_with("the length of a method's name"), "{error}");
    assert_eq!(error.call, None);
}
