//! A connection's encryption beside a shard, without their ring.

use std::io::Write;
use std::net::Ipv4Addr;
use std::sync::Arc;

use logtank_engine::ids::{Epoch, ShardId};
use logtank_engine::limits::Limits;
use logtank_engine::metrics::ShardMetrics;
use logtank_engine::sequencer::Sequencer;
use logtank_engine::shard::ShardConfig;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig};

use super::*;
use crate::clock;

fn sides() -> (TlsConfig, ClientConnection) {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der()).into();
    let server = ServerConfig::builder().with_no_client_auth();
    let server = server.with_single_cert(vec![cert.der().clone()], key).unwrap();
    let client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let client = ClientConnection::new(Arc::new(client), ServerName::try_from("localhost").unwrap()).unwrap();
    (TlsConfig::new(Arc::new(server)).unwrap(), client)
}

fn shard() -> Shard {
    let sequencer = Arc::new(Sequencer::new(Epoch::new(1_000_000).unwrap()));
    let config = ShardConfig::new(ShardId(0), Limits::default());
    Shard::new(config, sequencer, Arc::<ShardMetrics>::default(), Arc::default())
}

fn flight(client: &mut ClientConnection) -> Vec<u8> {
    let mut bytes = Vec::new();
    while client.wants_write() {
        client.write_tls(&mut bytes).unwrap();
    }
    bytes
}

#[test]
fn a_first_message_in_parts_is_no_answer() {
    let (server, mut client) = sides();
    let (mut secured, mut shard, now) = (Secured::new(&server), shard(), clock::now());
    let id = shard.accept(Ipv4Addr::LOCALHOST.into(), now).unwrap();
    let hello = flight(&mut client);
    for byte in &hello[..hello.len() - 1] {
        secured.unread.push(*byte);
        secured.step(&mut shard, id, now);
        assert!(!secured.answered, "nothing was said to it yet");
    }
    secured.unread.push(hello[hello.len() - 1]);
    secured.step(&mut shard, id, now);
    assert!(secured.answered);
    assert!(!secured.session.output().is_empty());
}

#[test]
fn what_waits_for_its_turn_is_taken_before_the_end() {
    let (server, mut client) = sides();
    let mut secured = Secured::new(&server);
    let begin = flight(&mut client);
    secured.session.receive(&mut begin.as_slice()).unwrap();
    let answer = secured.session.output();
    client.read_tls(&mut answer.as_slice()).unwrap();
    client.process_new_packets().unwrap();
    // The end of the handshake, a message, and the end of everything come at once, and the shard has no room.
    client.writer().write_all(b"a message").unwrap();
    client.send_close_notify();
    secured.queued = true;
    secured.session.receive(&mut flight(&mut client).as_slice()).unwrap();
    assert!(secured.session.has_ended());
    assert_eq!(secured.session.plain(), b"a message");
    assert!(secured.peer_finished(), "the end waits");
    secured.session.consume(9);
    assert!(!secured.peer_finished());
}
