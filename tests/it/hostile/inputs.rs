//! What hostile peers send.

use logtank_tests::random::Random;
use logtank_tests::thrift::{Change, call, read_page, send_batch};

/// A strict, unframed header of a call.
fn header(name: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x80, 1, 0, 1];
    bytes.extend(u32::try_from(name.len()).unwrap().to_be_bytes());
    bytes.extend(name);
    bytes.extend(1u32.to_be_bytes());
    bytes
}

/// `send_batch` up to its list of records.
fn to_records() -> Vec<u8> {
    let mut bytes = header(b"send_batch");
    bytes.extend([12, 0, 1, 15, 0, 1]);
    bytes
}

fn change(index: &str) -> Change {
    Change {
        index: index.into(),
        docid: "d".into(),
        fields: Some(vec![("t".into(), "x".into())]),
        ..Change::default()
    }
}

/// A call that any host takes.
pub(super) fn good_call() -> Vec<u8> {
    call("send_batch", 1, &send_batch(&[change("m"), change("m")]))
}

/// A call whose reply is long, as calls go.
pub(super) fn list_call() -> Vec<u8> {
    call("list_existing_indexes", 1, &[0])
}

/// `read_page` with a token of these bytes, which no host issued.
pub(super) fn page_call(token: &[u8]) -> Vec<u8> {
    let mut forged = vec![11, 0, 4];
    forged.extend(u32::try_from(token.len()).unwrap().to_be_bytes());
    forged.extend(token);
    forged.push(0);
    call("read_page", 1, &read_page("m", &forged))
}

/// All of them, with their names; `round` seeds the random ones.
pub(super) fn inputs(round: u64) -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<(String, Vec<u8>)> = Vec::new();
    let mut add = |name: &str, bytes: Vec<u8>| all.push((name.to_owned(), bytes));
    bombs(&mut add);
    structures(&mut add);
    for code in ["", ".", "..", "../x", "../../escaped", "/etc", "a/b", "a\0b", "ünï", ".hidden"] {
        add("index code", call("send_batch", 1, &send_batch(&[change("m"), change(code)])));
        add("index code to delete", call("delete_index", 1, &code_argument(code.as_bytes())));
        add("index code to read", call("read_page", 1, &read_page(code, &[0])));
    }
    let long = "e".repeat(64 << 10);
    add("index code of 64 KiB", call("send_batch", 1, &send_batch(&[change(&long)])));
    add("index code of 64 KiB to delete", call("delete_index", 1, &code_argument(long.as_bytes())));
    for token in [&b""[..], b"x", b"AAAA", &[0xff; 300], &[b'A'; 100_000]] {
        add("forged token", page_call(token));
    }
    add("HTTP", b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n".to_vec());
    add("half HTTP", b"GET /metrics HTTP/1.1\r\nHost: ".to_vec());
    add("TLS", vec![0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]);
    let mut random = Random::new(round + 1);
    for length in [1usize, 7, 64, 4096, 65_536] {
        let noise = (0..length).map(|_| random.next().to_le_bytes()[0]).collect();
        add("noise", noise);
    }
    all
}

fn code_argument(code: &[u8]) -> Vec<u8> {
    let mut bytes = vec![11, 0, 1];
    bytes.extend(u32::try_from(code.len()).unwrap().to_be_bytes());
    bytes.extend(code);
    bytes.push(0);
    bytes
}

/// Lengths that promise more than comes.
fn bombs(add: &mut impl FnMut(&str, Vec<u8>)) {
    for length in [i32::MAX, -1, i32::MIN, 1 << 30] {
        let length = length.to_be_bytes();
        add("frame of a bad length", length.to_vec());
        add("frame of a bad length, and a call", [&length[..], &header(b"send_batch")].concat());
        add("name of a bad length", [&[0x80, 1, 0, 1][..], &length].concat());
        add("old header, name of a bad length", [&length[..], b"x"].concat());
        add("list of a bad length", [&to_records()[..], &[12], &length].concat());
        let map = [&to_records()[..], &[12, 0, 0, 0, 1, 13, 0, 6, 11, 11], &length].concat();
        add("map of a bad length", map);
        let text = [&to_records()[..], &[12, 0, 0, 0, 1, 11, 0, 4], &length].concat();
        add("string of a bad length", text);
        let skipped = [&to_records()[..], &[12, 0, 0, 0, 1, 15, 0, 99, 3], &length].concat();
        add("unknown list of a bad length", skipped);
    }
    let empty = [&to_records()[..], &[2], &i32::MAX.to_be_bytes()].concat();
    add("list of two thousand million booleans", empty);
}

/// What is no call, or not the right one.
fn structures(add: &mut impl FnMut(&str, Vec<u8>)) {
    for kind in [12u8, 15, 13, 14] {
        let mut deep = to_records();
        deep.extend([12, 0, 0, 0, 1]);
        for _ in 0..50_000 {
            match kind {
                12 => deep.extend([12, 0, 99]),
                13 => deep.extend([13, 0, 99, 13, 13, 0, 0, 0, 1]),
                _ => deep.extend([kind, 0, 99, kind, 0, 0, 0, 1]),
            }
        }
        add("deep nesting", deep);
    }
    add("records that are numbers", [&to_records()[..], &[8, 0, 0, 0, 1, 0, 0, 0, 7, 0, 0]].concat());
    add("a batch that is a string", [&header(b"send_batch")[..], &[11, 0, 1, 0, 0, 0, 1, b'x', 0]].concat());
    add("a type that is none", [&header(b"send_batch")[..], &[77, 0, 1, 0]].concat());
    add("no arguments", [&header(b"send_batch")[..], &[0]].concat());
    add("unknown method", [&header(b"drop_everything")[..], &[0]].concat());
    add("a method of no name", [&header(b"")[..], &[0]].concat());
    add("a method that is not text", [&header(&[0xff; 200])[..], &[0]].concat());
    // 4 is a call that expects no answer, and gets none.
    for kind in [0u8, 2, 3, 9] {
        let mut other = header(b"send_batch");
        other[3] = kind;
        other.push(0);
        add("a message that is no call", other);
    }
    let mut twice = to_records();
    twice.extend([12, 0, 0, 0, 1]);
    twice.extend([11, 0, 4, 0, 0, 0, 1, b'a', 11, 0, 4, 0, 0, 0, 1, b'b', 11, 0, 3, 0, 0, 0, 1, b'm', 0]);
    twice.extend([0, 0]);
    add("a field that comes twice", twice);
    let mut not_text = to_records();
    not_text
        .extend([12, 0, 0, 0, 1, 11, 0, 3, 0, 0, 0, 1, b'm', 11, 0, 4, 0, 0, 0, 2, 0xc3, 0x28, 2, 0, 5, 1]);
    not_text.extend([0, 0, 0]);
    add("a docid that is not UTF-8", not_text);
    let mut bad_code = to_records();
    bad_code
        .extend([12, 0, 0, 0, 1, 11, 0, 3, 0, 0, 0, 2, 0xc3, 0x28, 11, 0, 4, 0, 0, 0, 1, b'd', 2, 0, 5, 1]);
    bad_code.extend([0, 0, 0]);
    add("an index code that is not UTF-8", bad_code);
    let mut unknown = to_records();
    unknown.extend([12, 0, 0, 0, 1, 11, 0, 3, 0, 0, 0, 1, b'm', 11, 0, 4, 0, 0, 0, 1, b'd', 2, 0, 5, 1]);
    unknown.extend([10, 0x7f, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 12, 0, 99, 0, 0, 0, 0]);
    add("unknown fields", unknown);
    let mut cut = good_call();
    cut.truncate(cut.len() - 3);
    add("a call without its end", cut);
}
