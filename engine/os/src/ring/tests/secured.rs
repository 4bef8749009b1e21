use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use logtank_wire::client::request;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, StreamOwned};

use super::check_dense;
use super::client::{Client, DIALECT, record};
use super::host::Host;
use crate::tls::TlsConfig;

type Pair = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// An authority and what it signs.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn issue(&self) -> Pair {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        (vec![certificate.der().clone()], PrivatePkcs8KeyDer::from(key.serialize_der()).into())
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        roots
    }

    /// A server that wants certificates of this authority.
    fn server(&self) -> TlsConfig {
        let (chain, key) = self.issue();
        let clients = WebPkiClientVerifier::builder(Arc::new(self.roots())).build().unwrap();
        let config = ServerConfig::builder().with_client_cert_verifier(clients);
        TlsConfig::new(Arc::new(config.with_single_cert(chain, key).unwrap())).unwrap()
    }

    /// A client that trusts this authority and shows a certificate of another (or none).
    fn client(&self, identity: Option<Pair>) -> Arc<ClientConfig> {
        let config = ClientConfig::builder().with_root_certificates(self.roots());
        Arc::new(match identity {
            Some((chain, key)) => config.with_client_auth_cert(chain, key).unwrap(),
            None => config.with_no_client_auth(),
        })
    }
}

type Stream = StreamOwned<ClientConnection, TcpStream>;

fn connect(host: &Host, config: Arc<ClientConfig>) -> Client<Stream> {
    let name = ServerName::try_from("localhost").unwrap();
    Client::new(StreamOwned::new(ClientConnection::new(config, name).unwrap(), host.connect()))
}

#[test]
fn batches_of_any_size_come_and_are_answered_encrypted() {
    let authority = Authority::new();
    let server = authority.server();
    // Small buffers: records of the encryption come in many parts, and plaintext waits for room.
    let mut host = Host::start(1, |config, ring| {
        ring.tls = Some(server.clone());
        (ring.receive_buffer_bytes, ring.receive_buffers) = (1024, 4);
        config.limits.unsynced_bytes_max = 256 * 1024;
    });
    let clients: Vec<_> = (0..4).map(|_| authority.client(Some(authority.issue()))).collect();
    std::thread::scope(|scope| {
        for (name, config) in clients.into_iter().enumerate() {
            let mut client = connect(&host, config);
            scope.spawn(move || {
                for batch in 0..40 {
                    // Several are sent before the first reply is taken.
                    for part in 0..3 {
                        client.post([record(&format!("{name}-{batch}-{part}"), 200 * batch).as_slice()]);
                    }
                    for part in 1..=3 {
                        client.reply(3 * batch as i32 + part).unwrap().unwrap();
                    }
                }
                client.stream.conn.send_close_notify();
                client.stream.flush().unwrap();
                client.stream.sock.shutdown(std::net::Shutdown::Write).unwrap();
                let mut rest = Vec::new();
                client.stream.read_to_end(&mut rest).expect("the host says that it closes");
                assert!(rest.is_empty());
            });
        }
    });
    host.wait_until(|metrics| metrics.connections.get(), |sum| sum == 0);
    host.shut_down();
    assert_eq!(check_dense(&host.segments()).len(), 4 * 40 * 3);
}

#[test]
fn whom_the_authority_does_not_know_is_told_so_and_changes_nothing() {
    let (authority, other) = (Authority::new(), Authority::new());
    let server = authority.server();
    let mut host = Host::start(1, |_, ring| ring.tls = Some(server.clone()));
    for identity in [None, Some(other.issue())] {
        let mut client = connect(&host, authority.client(identity));
        // With the newer protocol the client learns of it only with the first answer.
        let _ = client.try_post([record("no", 10).as_slice()]);
        let error = client.stream.read(&mut [0; 16]).unwrap_err().to_string();
        assert!(error.contains("received fatal alert"), "{error}");
    }
    // Neither is a client without encryption understood.
    let mut plain = Client::new(host.connect());
    plain.post([record("no", 10).as_slice()]);
    let mut answer = Vec::new();
    let _ = plain.stream.read_to_end(&mut answer);
    assert_eq!(answer.first(), Some(&0x15), "an alert, then the end");
    assert_eq!(host.sum(|metrics| metrics.tls_failures.get()), 3);
    let mut client = connect(&host, authority.client(Some(authority.issue())));
    client.send([record("yes", 10).as_slice()]).unwrap();
    host.shut_down();
    assert_eq!(check_dense(&host.segments()), ["yes"]);
}

#[test]
fn who_begins_a_handshake_and_goes_no_further_is_let_go() {
    let authority = Authority::new();
    let server = authority.server();
    let mut host = Host::start(1, |config, ring| {
        ring.tls = Some(server.clone());
        config.message_timeout = std::time::Duration::from_millis(200);
    });
    let silent = host.connect();
    let mut begun = host.connect();
    begun.write_all(b"\x16\x03\x01\x02\x00").unwrap();
    let mut agreed = connect(&host, authority.client(Some(authority.issue())));
    agreed.send([record("a", 10).as_slice()]).unwrap();
    for mut stream in [silent, begun] {
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).expect("closed");
        assert_eq!(rest.first(), Some(&0x15), "with an alert before");
    }
    assert_eq!(host.sum(|metrics| metrics.connections_timed_out.get()), 2);
    agreed.send([record("b", 10).as_slice()]).expect("idle is no fault");
    host.shut_down();
}

/// A client's first message.
fn hello(config: Arc<ClientConfig>) -> Vec<u8> {
    let mut client = ClientConnection::new(config, ServerName::try_from("localhost").unwrap()).unwrap();
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).unwrap();
    bytes
}

#[test]
fn between_two_steps_of_handshakes_the_others_have_their_turn() {
    let authority = Authority::new();
    let server = authority.server();
    let mut host = Host::start(1, |_, ring| ring.tls = Some(server.clone()));
    let mut honest = connect(&host, authority.client(Some(authority.issue())));
    honest.send([record("a", 10).as_slice()]).unwrap();
    let hello = hello(authority.client(None));
    // All have spoken before the shard sees the first of them.
    let strangers: Vec<_> = (0..200)
        .map(|_| {
            let (client, server) = host.pair();
            (&client).write_all(&hello).unwrap();
            (client, server)
        })
        .collect();
    let before = host.sum(|metrics| metrics.turns.get());
    let mut strangers: Vec<_> = strangers
        .into_iter()
        .map(|(client, server)| {
            host.hand_over(server);
            client
        })
        .collect();
    honest.send([record("b", 10).as_slice()]).unwrap();
    for stranger in &mut strangers {
        let mut answer = [0; 1];
        stranger.read_exact(&mut answer).unwrap();
        assert_eq!(answer, [0x16], "each is answered");
    }
    let turns = host.sum(|metrics| metrics.turns.get()) - before;
    assert!(turns >= 200, "200 steps in {turns} turns");
    drop(strangers);
    honest.send([record("c", 10).as_slice()]).unwrap();
    host.wait_until(|metrics| metrics.connections.get(), |sum| sum == 1);
    assert_eq!(host.sum(|metrics| metrics.in_flight_bytes.get()), 0);
    host.shut_down();
    assert_eq!(check_dense(&host.segments()), ["a", "b", "c"]);
}

#[test]
fn a_handshake_that_never_ends_counts_as_memory() {
    let authority = Authority::new();
    let server = authority.server();
    let mut host = Host::start(1, |config, ring| {
        ring.tls = Some(server.clone());
        config.limits.in_flight_bytes_max = 64 * 1024;
    });
    // A first message that says it is 60 kB long, and 20 kB of it.
    let mut begin = b"\x16\x03\x01\x40\x00\x01\x00\xea\x60".to_vec();
    begin.resize(5 + 0x4000, 0);
    let holders: Vec<_> = (0..3)
        .map(|_| {
            let mut stream = host.connect();
            stream.write_all(&begin).unwrap();
            stream
        })
        .collect();
    host.wait_until(|metrics| metrics.in_flight_bytes.get(), |sum| sum >= 3 * 0x4000);
    let mut fourth = host.connect();
    fourth.write_all(&begin).unwrap();
    host.wait_until(|metrics| metrics.connections_shed.get(), |sum| sum == 1);
    assert!(host.sum(|metrics| metrics.in_flight_bytes.get()) <= 64 * 1024);
    drop(holders);
    drop(fourth);
    host.wait_until(|metrics| metrics.in_flight_bytes.get(), |sum| sum == 0);
    let mut client = connect(&host, authority.client(Some(authority.issue())));
    client.send([record("a", 10).as_slice()]).unwrap();
    host.shut_down();
}

/// Sends bytes beside the encryption.
fn send_raw(client: &mut Client<Stream>, bytes: &[u8]) {
    client.stream.flush().unwrap();
    client.stream.sock.write_all(bytes).unwrap();
}

#[test]
fn bytes_after_the_end_of_the_encryption_do_no_harm() {
    let authority = Authority::new();
    let server = authority.server();
    let mut host = Host::start(1, |_, ring| ring.tls = Some(server.clone()));
    let mut client = connect(&host, authority.client(Some(authority.issue())));
    client.send([record("a", 10).as_slice()]).unwrap();
    client.stream.conn.send_close_notify();
    send_raw(&mut client, b"");
    let mut rest = Vec::new();
    // It says that it closes, also where the peer has not closed the socket.
    client.stream.read_to_end(&mut rest).unwrap();
    assert!(rest.is_empty());
    // The batch is answered that came before the end; what comes with the end counts for nothing.
    let mut client = connect(&host, authority.client(Some(authority.issue())));
    client.send([record("b", 10).as_slice()]).unwrap();
    client.post([record("c", 5000).as_slice()]);
    client.stream.conn.send_close_notify();
    let mut end = Vec::new();
    while client.stream.conn.wants_write() {
        client.stream.conn.write_tls(&mut end).unwrap();
    }
    end.push(b'x');
    send_raw(&mut client, &end);
    client.reply(2).unwrap().unwrap();
    assert_eq!(client.reply(3), None);
    host.wait_until(|metrics| metrics.connections.get(), |sum| sum == 0);
    assert_eq!(host.sum(|metrics| metrics.tls_failures.get()), 0);
    host.shut_down();
    assert_eq!(check_dense(&host.segments()), ["a", "b", "c"]);
}

#[test]
fn who_breaks_the_encryption_before_its_answer_is_let_go() {
    let authority = Authority::new();
    let server = authority.server();
    let mut host = Host::start(1, |_, ring| ring.tls = Some(server.clone()));
    let mut client = connect(&host, authority.client(Some(authority.issue())));
    client.send([record("a", 10).as_slice()]).unwrap();
    // One record of 4096 bytes, which are looked at alone, then what is none. Both come at once, so the broken one is seen
    // before the batch is answered.
    let batch = |text_bytes| {
        let mut bytes = Vec::new();
        request::send_batch(&mut bytes, DIALECT, 2, [record("b", text_bytes).as_slice()]);
        bytes
    };
    let text_bytes = 4096 - 22 - batch(0).len();
    client.stream.conn.writer().write_all(&batch(text_bytes)).unwrap();
    let mut bytes = Vec::new();
    client.stream.conn.write_tls(&mut bytes).unwrap();
    assert_eq!(bytes.len(), 4096);
    bytes.extend_from_slice(b"\x17\x03\x03\x00\x05hello");
    client.stream.sock.write_all(&bytes).unwrap();
    let error = client.stream.read(&mut [0; 16]).unwrap_err().to_string();
    assert!(error.contains("received fatal alert"), "{error}");
    host.wait_until(|metrics| metrics.connections.get(), |sum| sum == 0);
    assert_eq!(host.sum(|metrics| metrics.tls_failures.get()), 1);
    host.shut_down();
    assert_eq!(check_dense(&host.segments()), ["a", "b"]);
}
