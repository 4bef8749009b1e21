//! The shard over a real ring, real sockets and real files.

mod client;
mod host;
mod secured;

use std::collections::BTreeSet;
use std::io::Write;
use std::time::Duration;

use client::{Client, record};
use host::{Host, MODES, SYNCS, Segment};
use logtank_engine::ids::Position;
use logtank_engine::io::ShardEvent;
use logtank_engine::shard::ShardConfig;

use super::{RingConfig, ShardExit};
use crate::mailbox::Mail;

/// Positions are dense over all shards in each epoch, as the seals say; returns all docids by position.
fn check_dense(segments: &[Segment]) -> Vec<String> {
    let mut records: Vec<&(Position, String)> =
        segments.iter().flat_map(|segment| &segment.records).collect();
    records.sort();
    for segment in segments {
        let seal = segment.seal.as_ref().expect("each segment is sealed after a shutdown");
        let of_epoch = records.iter().filter(|(position, _)| position.epoch() == segment.header.epoch);
        assert_eq!(seal.epoch_records, Some(u32::try_from(of_epoch.count()).unwrap()));
    }
    for pair in records.windows(2) {
        let [(before, _), (after, _)] = pair else { unreachable!() };
        let follows =
            *after == before.advanced(1) || (after.epoch() > before.epoch() && after.ordinal() == 0);
        assert!(follows, "{after} follows {before}");
    }
    records.into_iter().map(|(_, docid)| docid.clone()).collect()
}

#[test]
fn what_is_acknowledged_is_in_sealed_segments_in_every_mode() {
    for ((append, write_path), sync) in MODES.into_iter().zip(SYNCS.into_iter().cycle()) {
        let mut host = Host::start(2, |config, ring| {
            config.writer.append = append;
            config.writer.sync = sync;
            config.writer.segment_roll_bytes = 64 * 1024;
            ring.write_path = write_path;
        });
        let sent: Vec<Vec<String>> = std::thread::scope(|scope| {
            let clients: Vec<_> = (0..6)
                .map(|name| {
                    let mut client = Client::new(host.connect());
                    scope.spawn(move || {
                        let mut sent = Vec::new();
                        for batch in 0..60 {
                            let docids: Vec<_> =
                                (0..batch % 4).map(|record| format!("{name}-{batch}-{record}")).collect();
                            let records: Vec<_> = docids.iter().map(|docid| record(docid, 700)).collect();
                            client.send(records.iter().map(Vec::as_slice)).unwrap();
                            sent.extend(docids);
                        }
                        sent
                    })
                })
                .collect();
            clients.into_iter().map(|client| client.join().unwrap()).collect()
        });
        host.shut_down();
        let segments = host.segments();
        assert!(segments.len() > 4, "several epochs: {}", segments.len());
        let stored = check_dense(&segments);
        let place =
            |docid: &String| stored.iter().position(|other| other == docid).expect("acknowledged, so stored");
        for docids in &sent {
            assert!(docids.iter().map(place).is_sorted(), "one connection's batches keep their order");
        }
        let all: BTreeSet<&String> = sent.iter().flatten().collect();
        assert_eq!(stored.len(), all.len(), "each once");
        let events = host.events.lock().unwrap();
        let count = |wanted: fn(&ShardEvent) -> bool| events.iter().filter(|event| wanted(event)).count();
        assert_eq!(count(|event| matches!(event, ShardEvent::Sealed { .. })), segments.len());
        assert_eq!(count(|event| matches!(event, ShardEvent::Claimed { .. })), segments.len());
        assert_eq!(host.sum(|metrics| metrics.records.get()), all.len() as u64);
    }
}

#[test]
fn a_request_seals_what_all_shards_have_also_idle_ones() {
    let mut host = Host::start(2, |_, _| {});
    for _ in 0..2 {
        Client::new(host.connect()).send([record("a", 10).as_slice()]).unwrap();
    }
    host.mailboxes[1].post(Mail::Seal).unwrap();
    host.wait_until(|metrics| metrics.segments_sealed.get(), |sum| sum >= 2);
    assert_eq!(check_dense(&host.segments()).len(), 2);
    host.shut_down();
}

#[test]
fn pipelined_batches_larger_than_a_receive_buffer_are_answered_in_order() {
    let mut host = Host::start(1, |_, ring| (ring.receive_buffer_bytes, ring.receive_buffers) = (1024, 4));
    let (mut reader, writer) = (Client::new(host.connect()), 200);
    let mut poster = Client::new(reader.stream.try_clone().unwrap());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for batch in 0..writer {
                poster.post([record(&format!("{batch}"), 20 * batch).as_slice()]);
            }
        });
        for sequence in 1..=writer {
            reader.reply(i32::try_from(sequence).unwrap()).unwrap().unwrap();
        }
    });
    host.shut_down();
    let stored = check_dense(&host.segments());
    assert_eq!(stored, (0..writer).map(|batch| batch.to_string()).collect::<Vec<_>>());
}

#[test]
fn bad_calls_are_told_and_only_unreadable_ones_end_the_connection() {
    let mut host = Host::start(1, |_, _| {});
    let mut client = Client::new(host.connect());
    let error = client.send([record("", 1).as_slice(), &[0]]).unwrap_err();
    assert!(error.contains("record 1 has no index_code"), "{error}");
    client.send([record("fine", 1).as_slice()]).unwrap();
    client.stream.write_all(b"\x80\x01\x00\x01\x00\x00\x00\x0asend_batch\x00\x00\x00\x09\xff").unwrap();
    let error = client.reply(9).unwrap().unwrap_err();
    assert!(!error.is_empty());
    assert!(client.reply(10).is_none(), "closed");
    assert_eq!(host.sum(|metrics| metrics.protocol_errors.get()), 1);
    host.shut_down();
    assert_eq!(check_dense(&host.segments()), ["fine"]);
}

#[test]
fn connections_come_and_go_and_their_places_are_used_again() {
    let mut host = Host::start(1, |config, _| config.limits.connections_max = 4);
    for round in 0..20 {
        let mut clients: Vec<_> = (0..4).map(|_| Client::new(host.connect())).collect();
        for client in &mut clients {
            client.send([record(&format!("{round}"), 1).as_slice()]).unwrap();
        }
        let mut fifth = Client::new(host.connect());
        fifth.send([record(&format!("{round}"), 1).as_slice()]).unwrap();
        assert!(clients[0].reply(0).is_none(), "the one that rested longest has made room for it");
        drop((clients, fifth));
        host.wait_until(|metrics| metrics.connections.get(), |sum| sum == 0);
    }
    host.shut_down();
    assert_eq!(check_dense(&host.segments()).len(), 100);
    assert_eq!(host.sum(|metrics| metrics.connections_gave_way.get()), 20);
}

#[test]
fn a_message_that_is_not_finished_in_time_ends_its_connection() {
    let mut host = Host::start(1, |config, _| config.message_timeout = Duration::from_millis(50));
    let mut client = Client::new(host.connect());
    client.stream.write_all(b"\x80\x01").unwrap();
    assert!(client.reply(0).is_none());
    assert_eq!(host.sum(|metrics| metrics.connections_timed_out.get()), 1);
    host.shut_down();
}

#[test]
fn a_segment_that_takes_no_writes_is_replaced_and_nothing_is_lost() {
    for (append, write_path) in MODES {
        let adjust = |config: &mut ShardConfig, ring: &mut RingConfig| {
            (config.writer.append, ring.write_path) = (append, write_path);
        };
        let mut host = Host::start_on(1, adjust, |number| number == 0);
        let mut client = Client::new(host.connect());
        for batch in 0..3 {
            client.send([record(&format!("{batch}"), 10).as_slice()]).unwrap();
        }
        host.shut_down();
        assert_eq!(check_dense(&host.segments()), ["0", "1", "2"]);
        let events = host.events.lock().unwrap();
        assert!(events.iter().any(|event| matches!(event, ShardEvent::Abandoned { ready: 0, part: 0, .. })));
        assert!(events.iter().any(|event| matches!(event, ShardEvent::Sealed { part: 1, .. })));
    }
}

#[test]
fn a_second_segment_that_takes_no_writes_ends_the_shard() {
    let host = Host::start_on(1, |_, _| {}, |number| number < 2);
    let mut client = Client::new(host.connect());
    client.post([record("lost", 10).as_slice()]);
    assert!(
        matches!(host.join().as_slice(), [ShardExit::Fatal(what)] if what.contains("write of raw segment"))
    );
}

#[test]
fn peers_that_vanish_in_the_middle_disturb_nobody() {
    let mut host = Host::start(2, |_, ring| (ring.receive_buffer_bytes, ring.receive_buffers) = (512, 8));
    std::thread::scope(|scope| {
        for name in 0..8 {
            let host = &host;
            scope.spawn(move || {
                let (batch, mut steady) = (record(&format!("{name}"), 3000), Client::new(host.connect()));
                for _ in 0..20 {
                    let mut rude = Client::new(host.connect());
                    rude.post([batch.as_slice()]);
                    rude.stream.write_all(&batch[..1000]).unwrap();
                    // With replies unread and a message half sent, the kernel answers the rest with a reset.
                    drop(rude);
                    steady.send([batch.as_slice()]).unwrap();
                }
            });
        }
    });
    host.wait_until(|metrics| metrics.connections.get(), |sum| sum == 0);
    host.shut_down();
    assert!(check_dense(&host.segments()).len() >= 160);
}
