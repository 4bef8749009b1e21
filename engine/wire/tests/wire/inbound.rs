//! Messages are found whatever the portions are in which their bytes come.

use logtank_wire::inbound::Inbound;
use logtank_wire::kind::Kind;
use proptest::prelude::*;

use crate::naive::{LIMITS, Owned, Value, any_dialect, any_message, receive, receive_at_once};

/// Messages of one connection: framed or not for all, strict or not for each.
fn any_messages() -> impl Strategy<Value = Vec<Owned>> {
    (any_dialect(), prop::collection::vec(any::<bool>(), 1..5)).prop_flat_map(|(dialect, strict)| {
        strict
            .into_iter()
            .map(move |strict| any_message(logtank_wire::message::Dialect { strict, ..dialect }))
            .collect::<Vec<_>>()
    })
}

/// `bytes` cut into portions of these lengths, again and again.
fn portions<'b>(bytes: &'b [u8], lengths: &[usize]) -> Vec<&'b [u8]> {
    let mut rest = bytes;
    let mut portions = Vec::new();
    for length in lengths.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (portion, behind) = rest.split_at((*length).min(rest.len()));
        portions.push(portion);
        rest = behind;
    }
    portions
}

fn any_lengths() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![
        prop::collection::vec(1..8usize, 1..10),
        prop::collection::vec(1..100usize, 1..10),
        prop::collection::vec(1..2000usize, 1..10),
    ]
}

proptest! {
    #[test]
    fn any_portions_give_the_messages_that_were_sent(messages in any_messages(), lengths in any_lengths()) {
        let bytes = messages.iter().flat_map(Owned::bytes).collect::<Vec<_>>();
        prop_assert_eq!(receive_at_once(&bytes), (messages.clone(), None));
        let found = receive(&mut Inbound::new(LIMITS), portions(&bytes, &lengths));
        prop_assert_eq!(found, (messages, None));
    }

    #[test]
    fn a_message_cut_anywhere_is_no_error(dialect in any_dialect().prop_flat_map(any_message)) {
        let bytes = dialect.bytes();
        for end in 0..bytes.len() {
            let mut inbound = Inbound::new(LIMITS);
            prop_assert_eq!(receive(&mut inbound, [&bytes[..end]]), (vec![], None), "at {}", end);
            prop_assert_eq!(inbound.pending_bytes(), end);
        }
    }

    #[test]
    fn damaged_messages_give_the_same_in_any_portions(
        messages in any_messages(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        lengths in any_lengths(),
    ) {
        let mut bytes = messages.iter().flat_map(Owned::bytes).collect::<Vec<_>>();
        for (place, byte) in damage {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        let (at_once, error) = receive_at_once(&bytes);
        let (found, error_of_portions) = receive(&mut Inbound::new(LIMITS), portions(&bytes, &lengths));
        prop_assert_eq!(found, at_once);
        prop_assert_eq!(error.is_some(), error_of_portions.is_some());
    }

    #[test]
    fn any_bytes_are_messages_or_an_error(
        head in prop::sample::select(vec![&b""[..], b"\x80\x01\0\x01\0\0\0\x01m\0\0\0\x01", b"\0\0\0\x40\x80\x01\0\x01"]),
        tail in prop_oneof![
            prop::collection::vec(0..16u8, 0..200),
            prop::collection::vec(any::<u8>(), 0..200),
        ],
        lengths in any_lengths(),
    ) {
        let bytes = [head, &tail].concat();
        let (at_once, error) = receive_at_once(&bytes);
        let (found, error_of_portions) = receive(&mut Inbound::new(LIMITS), portions(&bytes, &lengths));
        prop_assert_eq!(found, at_once);
        prop_assert_eq!(error.is_some(), error_of_portions.is_some());
    }
}

/// A message of about 300 KB, all of it tokens of a few bytes.
fn many_tokens() -> Owned {
    let strings = vec![Value::string("x"); 40_000];
    let maps =
        vec![Value::Map(Kind::Bool, Kind::Struct, vec![(Value::Bool(1), Value::Struct(vec![]))]); 10_000];
    let body =
        Value::Struct(vec![(1, Value::List(Kind::String, strings)), (2, Value::List(Kind::Map, maps))]);
    let dialect = logtank_wire::message::Dialect { strict: true, framed: false };
    let kind = logtank_wire::message::MessageKind::Call;
    Owned { dialect, kind, name: b"m".to_vec(), sequence: 1, body: body.bytes() }
}

/// Were each byte to cost as much as all before it, this would take minutes.
#[test]
fn byte_by_byte_costs_no_more_than_linear_work() {
    let message = many_tokens();
    let found = receive(&mut Inbound::new(LIMITS), message.bytes().chunks(1));
    assert!(found == (vec![message], None));
}

#[test]
fn a_whole_message_is_borrowed_from_the_input() {
    let bytes = many_tokens().bytes();
    let two = [&bytes[..], &bytes].concat();
    let mut inbound = Inbound::new(LIMITS);
    let mut input = &two[..];
    for begin in [0, bytes.len()] {
        let message = inbound.next(&mut input).unwrap().unwrap();
        let body_at = begin + bytes.len() - message.body.len();
        assert!(std::ptr::eq(message.body, &two[body_at..begin + bytes.len()]));
        assert_eq!(inbound.pending_bytes(), 0);
    }
}
