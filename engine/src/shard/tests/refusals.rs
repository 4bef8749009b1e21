use logtank_wire::client::request;
use logtank_wire::message::{Dialect, Message, MessageKind};
use logtank_wire::record::RecordWriter;

use super::world::{DIALECT, World, encode};
use crate::raw_log::write::config::{AppendMode, SyncMode};

fn world() -> World {
    let mut world =
        World::new(1, SyncMode::Always, AppendMode::Buffered, |config| config.limits.batch_records_max = 8);
    world.connect(0);
    world
}

fn with(build: impl FnOnce(&mut RecordWriter<'_>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = RecordWriter::begin(&mut bytes);
    build(&mut writer);
    writer.finish();
    bytes
}

/// Field 1 of type i64, which no writer of ours can write.
fn with_id() -> Vec<u8> {
    let mut bytes = vec![10, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1];
    bytes.extend(encode("a", 1));
    bytes
}

fn error_of(records: &[Vec<u8>]) -> String {
    let mut world = world();
    world.post_records(0, Vec::new(), records);
    world.post(0, 1, 10);
    world.settle();
    assert_eq!(world.peers[0].acknowledged.len(), 1, "the connection stays usable");
    assert_eq!(world.peers[0].errors.len(), 1);
    world.finish();
    let stored = world.disk[0].segments(true).iter().map(|segment| segment.records.len()).sum::<usize>();
    assert_eq!(stored, 1, "nothing of the refused batch");
    world.peers[0].errors[0].clone()
}

#[test]
fn a_bad_record_refuses_the_whole_batch_and_says_which_and_why() {
    let fine = encode("fine", 10);
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (with(|record| record.docid(b"a")), "no index_code"),
        (with_id(), "has an id"),
        (with(|r| (r.index_code(b"i"), r.fields([].into_iter())).0), "content but no docid"),
        (
            with(|r| (r.index_code(b"i"), r.deleted(true), r.categories([].into_iter())).0),
            "content but no docid",
        ),
        (with(|r| (r.index_code(b"../x"), r.docid(b"a")).0), "bad index_code"),
        (with(|r| (r.index_code(&[b'i'; 129]), r.docid(b"a")).0), "bad index_code"),
        (encode("long", 2100), "at most 2048"),
    ];
    for (bad, reason) in cases {
        let error = error_of(&[fine.clone(), fine.clone(), bad]);
        assert!(error.contains("record 2") && error.contains(reason), "{error}");
    }
    let error = error_of(&vec![fine; 9]);
    assert!(error.contains("9 records, at most 8"), "{error}");
}

#[test]
fn records_that_say_nothing_are_left_out_and_counted_and_empty_batches_acknowledged() {
    let mut world = world();
    let nothing = with(|record| record.index_code(b"i"));
    let not_deleted = with(|r| (r.index_code(b"i"), r.deleted(false)).0);
    let deleted = with(|r| (r.index_code(b"i"), r.deleted(true)).0);
    let docids = ["a", "b", "c"].map(String::from).to_vec();
    let records = [
        nothing.clone(),
        encode("a", 1),
        encode("b", 2),
        not_deleted.clone(),
        encode("c", 3),
        nothing.clone(),
    ];
    world.post_records(0, docids, &records);
    world.post_records(0, Vec::new(), &[nothing, not_deleted, deleted]);
    world.post_records(0, Vec::new(), &[]);
    world.finish();
    assert_eq!(world.peers[0].acknowledged.len(), 3);
    assert_eq!(world.metrics[0].dropped_records.get(), 6);
    assert_eq!(world.metrics[0].batches.get(), 3);
    let stored: Vec<_> =
        world.disk[0].segments(true).into_iter().flat_map(|segment| segment.records).collect();
    assert_eq!(stored.into_iter().map(|(_, docid)| docid).collect::<Vec<_>>(), ["a", "b", "c"]);
}

#[test]
fn docids_that_are_no_text_are_stored_and_counted() {
    let mut world = world();
    let named = |docid: &[u8]| with(|record| (record.index_code(b"i"), record.docid(docid)).0);
    let records = [named(b"caf\xe9"), named(b"caf\xe8"), named("café".as_bytes()), named(b"")];
    world.post_records(0, vec!["café".to_owned()], &records);
    // Of a batch that is refused nothing is counted.
    world.post_records(0, Vec::new(), &[named(b"\xff"), with_id()]);
    world.settle();
    assert_eq!((world.peers[0].acknowledged.len(), world.peers[0].errors.len()), (1, 1));
    assert_eq!(world.metrics[0].malformed_docids.get(), 2);
    assert_eq!(world.metrics[0].records.get(), 4);
}

#[test]
fn replies_keep_the_order_of_the_calls_also_errors_between_batches() {
    let mut world = world();
    world.post(0, 1, 10);
    world.post_records(0, Vec::new(), &[with_id()]);
    world.post_records(0, Vec::new(), &[]);
    world.post(0, 2, 10);
    world.deliver(0, usize::MAX);
    world.turn(0);
    assert!(world.peers[0].sending.is_none(), "the first batch is not stored yet");
    world.finish();
    assert_eq!((world.peers[0].acknowledged.len(), world.peers[0].errors.len()), (3, 1));
}

#[test]
fn unknown_methods_replies_and_missing_batches_are_refused_and_the_connection_stays() {
    let mut world = world();
    let mut bytes = Vec::new();
    request::get_raw_log_info(&mut bytes, DIALECT, 1);
    world.post_bytes(0, &bytes);
    world.settle();
    assert!(world.peers[0].errors[0].contains("get_raw_log_info"), "{:?}", world.peers[0].errors);
    // A reply in place of a call.
    let mut bytes = Vec::new();
    logtank_wire::reply::void(&mut bytes, DIALECT, b"send_batch", 2);
    world.post_bytes(0, &bytes);
    world.settle();
    assert!(world.peers[0].errors[1].contains("client sends calls"), "{:?}", world.peers[0].errors);
    world.post(0, 1, 1);
    world.finish();
    assert_eq!(world.peers[0].acknowledged.len(), 1);
}

#[test]
fn a_oneway_batch_is_stored_and_not_answered() {
    let mut world = world();
    let mut bytes = Vec::new();
    request::send_batch(&mut bytes, DIALECT, 1, [encode("quiet", 1).as_slice()]);
    // The kind stands in the last byte of the version word.
    assert_eq!(bytes[3], 1);
    bytes[3] = 4;
    world.post_bytes(0, &bytes);
    world.post(0, 1, 1);
    world.finish();
    assert_eq!(world.metrics[0].records.get(), 2);
    assert_eq!(world.peers[0].acknowledged.len(), 1);
}

#[test]
fn bytes_that_are_no_message_get_an_exception_and_the_connection_ends_after_earlier_replies() {
    let mut world = world();
    world.post(0, 1, 10);
    // Version, call, "send_batch", number 7, then a field of a type that does not exist.
    world.post_bytes(0, b"\x80\x01\x00\x01\x00\x00\x00\x0asend_batch\x00\x00\x00\x07\x63");
    world.deliver(0, usize::MAX);
    world.settle();
    assert_eq!((world.peers[0].acknowledged.len(), world.peers[0].errors.len()), (1, 1));
    assert!(world.peers[0].send_shut && !world.peers[0].closed, "waits until the peer has seen it");
    let (id, now) = (world.peers[0].id, world.now);
    world.shards[0].peer_finished(id, now);
    world.settle();
    assert!(world.peers[0].closed);
}

#[test]
fn a_nearly_full_drive_refuses_batches_before_anything_is_kept_and_heals() {
    let mut world = world();
    world.shards[0].appends_allowed(false);
    world.post(0, 1, 10);
    world.post_records(0, Vec::new(), &[]);
    world.settle();
    assert!(world.peers[0].errors[0].contains("nearly full"), "{:?}", world.peers[0].errors);
    assert_eq!(world.metrics[0].refused_full.get(), 1);
    world.shards[0].appends_allowed(true);
    world.post(0, 1, 10);
    world.finish();
    assert_eq!(world.peers[0].acknowledged.len(), 1);
    assert_eq!(world.metrics[0].records.get(), 1);
}

#[test]
fn every_dialect_is_answered_in_kind() {
    for (strict, framed) in [(true, false), (false, false), (true, true), (false, true)] {
        let dialect = Dialect { strict, framed };
        let mut world = world();
        let mut bytes = Vec::new();
        request::send_batch(&mut bytes, dialect, 5, [encode("a", 1).as_slice()]);
        world.post_bytes(0, &bytes);
        world.deliver(0, usize::MAX);
        for _ in 0..6 {
            world.turn(0);
            world.make_ready(0);
            while world.disk[0].pending() > 0 {
                world.complete(0, 0, super::files::Outcome::Success);
            }
        }
        let reply = world.peers[0].sending.take().expect("answered");
        let limits = logtank_wire::inbound::InboundLimits { message_bytes_max: 1000, depth_max: 8 };
        let mut inbound = logtank_wire::inbound::Inbound::new(limits);
        let message: Message<'_> = inbound.next(&mut &reply[..]).unwrap().unwrap();
        assert_eq!((message.dialect, message.kind, message.sequence), (dialect, MessageKind::Reply, 5));
    }
}
