//! A session against a real client, and against one that does what it must not.

use std::io::{Read, Write};
use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, ProtocolVersion, RootCertStore, ServerConfig};

use super::{TlsConfig, TlsSession};

const TLS12: ProtocolVersion = ProtocolVersion::TLSv1_2;
const TLS13: ProtocolVersion = ProtocolVersion::TLSv1_3;

/// A record that no client sends: its content can't be decrypted, nor read where nothing is encrypted.
const GARBAGE: &[u8] = b"\x17\x03\x03\x00\x05hello";

/// A warning that the peer sends nothing more, not encrypted.
const PLAIN_CLOSE: &[u8] = b"\x15\x03\x03\x00\x02\x01\x00";

/// What is needed for new connections.
struct Host {
    server: TlsConfig,
    roots: RootCertStore,
}

impl Host {
    fn new() -> Self {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(cert.der().clone()).unwrap();
        let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der()).into();
        let config = ServerConfig::builder().with_no_client_auth();
        let config = config.with_single_cert(vec![cert.der().clone()], key).unwrap();
        Self { server: TlsConfig::new(Arc::new(config)).unwrap(), roots }
    }

    /// A client that speaks one version only, and a session for it.
    fn strangers(&self, version: ProtocolVersion) -> (ClientConnection, TlsSession) {
        let version = if version == TLS12 { &rustls::version::TLS12 } else { &rustls::version::TLS13 };
        let config = ClientConfig::builder_with_protocol_versions(&[version])
            .with_root_certificates(self.roots.clone())
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        (ClientConnection::new(Arc::new(config), name).unwrap(), self.server.session())
    }

    /// The same, agreed.
    fn agreed(&self, version: ProtocolVersion) -> (ClientConnection, TlsSession) {
        let (mut client, mut session) = self.strangers(version);
        while client.is_handshaking() || session.is_handshaking() {
            take(&mut session, &from(&mut client), usize::MAX).unwrap();
            to(&mut client, &session.output());
        }
        to(&mut client, &session.output());
        assert_eq!(from(&mut client), b"");
        (client, session)
    }
}

/// What the client sends now.
fn from(client: &mut ClientConnection) -> Vec<u8> {
    let mut bytes = Vec::new();
    while client.wants_write() {
        client.write_tls(&mut bytes).unwrap();
    }
    bytes
}

fn to(client: &mut ClientConnection, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        client.read_tls(&mut bytes).unwrap();
        client.process_new_packets().unwrap();
    }
}

/// Offers all bytes in portions; returns what they mean. Each is taken, or is more than one call takes with plaintext.
fn take(session: &mut TlsSession, cipher: &[u8], portion: usize) -> Result<Vec<u8>, rustls::Error> {
    let mut plain = Vec::new();
    for mut rest in cipher.chunks(portion.min(cipher.len().max(1))) {
        while !rest.is_empty() {
            let offered = rest.len();
            session.receive(&mut rest)?;
            assert!(rest.len() < offered, "each call takes something");
            assert!(rest.is_empty() || !session.plain().is_empty(), "all is taken, or there is plaintext");
            plain.extend_from_slice(session.plain());
            session.consume(session.plain().len());
        }
    }
    Ok(plain)
}

/// Nothing more is expected of the session, whatever comes.
fn assert_over(session: &mut TlsSession) {
    for cipher in [GARBAGE, b"x", &[0; 70_000]] {
        assert_eq!(take(session, cipher, usize::MAX), Ok(Vec::new()));
        assert!(session.has_ended() && session.plain().is_empty());
    }
}

/// The first message of a handshake, as long as its header can say and the connection does not keep, in tiny records.
fn long_hello() -> Vec<u8> {
    let mut message = b"\x01\x00\xff\xf0\x03\x03".to_vec();
    message.resize(4 + 0xfff0, 0);
    let records = message.chunks(4).flat_map(|part| [b"\x16\x03\x01\x00\x04", part].concat());
    records.take(70_000).collect()
}

#[test]
fn a_message_of_a_handshake_beyond_the_bound_is_refused() {
    let host = Host::new();
    for portion in [1, 9, 4096, usize::MAX] {
        let mut session = host.server.session();
        let error = take(&mut session, &long_hello(), portion).unwrap_err().to_string();
        assert!(error.contains("message buffer full"), "{error}");
        assert_over(&mut session);
    }
}

#[test]
fn bytes_of_a_peer_that_has_closed_its_side_are_dropped() {
    let host = Host::new();
    for (version, portion) in [TLS12, TLS13].into_iter().flat_map(|v| [(v, 1), (v, 7), (v, usize::MAX)]) {
        let (mut client, mut session) = host.agreed(version);
        client.writer().write_all(b"all of it").unwrap();
        client.send_close_notify();
        let sent = [from(&mut client), GARBAGE.to_vec()].concat();
        assert_eq!(take(&mut session, &sent, portion), Ok(b"all of it".to_vec()));
        assert_over(&mut session);
        // The other direction is still open.
        session.send(b"an answer").unwrap();
        session.close();
        to(&mut client, &session.output());
        let mut answer = Vec::new();
        client.reader().read_to_end(&mut answer).unwrap();
        assert_eq!(answer, b"an answer");
    }
}

#[test]
fn plaintext_before_the_end_is_not_lost() {
    let (mut client, mut session) = Host::new().agreed(TLS13);
    client.writer().write_all(b"kept").unwrap();
    client.send_close_notify();
    let sent = [from(&mut client), b"x".to_vec()].concat();
    let mut rest = sent.as_slice();
    session.receive(&mut rest).unwrap();
    assert_eq!(session.plain(), b"kept");
    assert!(session.has_ended());
    session.consume(1);
    session.receive(&mut rest).unwrap();
    assert_eq!(session.plain(), b"ept");
}

#[test]
fn an_answer_to_a_peer_that_broke_the_protocol_fails() {
    let host = Host::new();
    for version in [TLS12, TLS13] {
        let (_, mut session) = host.agreed(version);
        take(&mut session, GARBAGE, usize::MAX).unwrap_err();
        assert_ne!(session.output(), b"", "an alert says why");
        session.send(b"an answer").unwrap_err();
        session.close();
        assert_eq!(session.output(), b"");
        assert_over(&mut session);
    }
    let mut session = host.server.session();
    take(&mut session, &long_hello(), usize::MAX).unwrap_err();
    session.send(b"an answer").unwrap_err();
}

#[test]
fn an_alert_at_any_place_ends_no_more_than_the_session() {
    let host = Host::new();
    let alerts = [
        PLAIN_CLOSE,
        b"\x15\x03\x03\x00\x02\x02\x28",
        b"\x15\x03\x03\x00\x02\x01\x5a",
        b"\x15\x03\x03\x00\x00",
    ];
    for (version, alert) in [TLS12, TLS13].into_iter().flat_map(|v| alerts.map(|alert| (v, alert))) {
        // How many flights of the client are sent whole before, and where in the next it comes.
        for (flights, place) in (0..3).flat_map(|flights| (0..8).map(move |place| (flights, place))) {
            let (mut client, mut session) = host.strangers(version);
            for _ in 0..flights {
                take(&mut session, &from(&mut client), usize::MAX).unwrap();
                to(&mut client, &session.output());
            }
            client.writer().write_all(b"plain").unwrap();
            let mut flight = from(&mut client);
            let at = flight.len() * place / 7;
            flight.splice(at..at, alert.iter().copied());
            for portion in [3, usize::MAX] {
                let _ = take(&mut session, &flight, portion);
            }
            // Many of them, too.
            if take(&mut session, &alert.repeat(1000), usize::MAX).is_err() || session.has_ended() {
                assert_over(&mut session);
            }
            let _ = session.send(b"an answer");
            session.output();
        }
    }
}

#[test]
fn a_session_means_the_same_in_portions_of_any_size() {
    let host = Host::new();
    let sent: Vec<u8> = (0..20_000_u32).map(|number| number as u8).collect();
    for (version, portion) in
        [TLS12, TLS13].into_iter().flat_map(|v| [1, 5, 100, 5000].map(|portion| (v, portion)))
    {
        let (mut client, mut session) = host.strangers(version);
        let mut plain = Vec::new();
        client.writer().write_all(b"early").unwrap();
        while client.is_handshaking() || session.is_handshaking() {
            plain.extend(take(&mut session, &from(&mut client), portion).unwrap());
            to(&mut client, &session.output());
        }
        for part in sent.chunks(9_000) {
            client.writer().write_all(part).unwrap();
            plain.extend(take(&mut session, &from(&mut client), portion).unwrap());
        }
        assert!(plain == [b"early", sent.as_slice()].concat());
        assert!(!session.has_ended());
    }
}

#[test]
fn after_its_own_end_a_session_ignores_what_comes() {
    let (mut client, mut session) = Host::new().agreed(TLS13);
    session.close();
    client.writer().write_all(b"too late").unwrap();
    let sent = [from(&mut client), GARBAGE.to_vec()].concat();
    assert_eq!(take(&mut session, &sent, usize::MAX), Ok(Vec::new()));
    assert!(!session.has_ended(), "the socket's end is awaited");
    to(&mut client, &session.output());
    assert_eq!(client.reader().read(&mut [0; 16]).unwrap(), 0);
}

#[test]
fn what_a_session_keeps_is_counted_until_something_comes_of_it() {
    let host = Host::new();
    let mut session = host.server.session();
    let hello = long_hello();
    take(&mut session, &hello[..9000], 100).unwrap();
    assert_eq!(session.held_bytes(), 9000);
    assert!(session.awaits_more());
    for version in [TLS12, TLS13] {
        let (mut client, mut session) = host.agreed(version);
        assert_eq!(session.held_bytes(), 0, "all of the handshake is done with");
        assert!(!session.awaits_more());
        client.writer().write_all(b"hello").unwrap();
        let cipher = from(&mut client);
        take(&mut session, &cipher[..cipher.len() - 1], usize::MAX).unwrap();
        assert_eq!(session.held_bytes(), cipher.len() - 1);
        assert!(session.awaits_more());
        let mut last = &cipher[cipher.len() - 1..];
        session.receive(&mut last).unwrap();
        assert_eq!(session.held_bytes(), 5, "the plaintext");
        session.consume(5);
        assert_eq!(session.held_bytes(), 0);
        assert!(!session.awaits_more());
    }
}

#[test]
fn new_keys_are_no_message_that_has_begun() {
    let host = Host::new();
    let (mut client, mut session) = host.agreed(TLS13);
    client.refresh_traffic_keys().unwrap();
    let cipher = from(&mut client);
    take(&mut session, &cipher, usize::MAX).unwrap();
    assert!(!session.awaits_more() && !session.has_ended());
}
