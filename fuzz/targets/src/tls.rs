//! The server's half of an encrypted connection.

use std::io::{Read, Write};
use std::sync::{Arc, LazyLock};

use logtank_os::tls::{TlsConfig, TlsSession};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{PrivatePkcs8KeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig};

use crate::edits::damage;

/// What a session keeps decrypted at most: what one look at the bytes of a handshake can hold.
const PLAIN_BYTES_MAX: usize = 128 * 1024;

pub(crate) struct Sides {
    pub(crate) server: TlsConfig,
    clients: [Arc<ClientConfig>; 2],
}

impl Sides {
    /// A client that trusts the server.
    pub(crate) fn client(&self, newer: bool) -> ClientConnection {
        let name = ServerName::try_from("localhost").expect("a name");
        ClientConnection::new(self.clients[usize::from(newer)].clone(), name).expect("good")
    }
}

pub(crate) static SIDES: LazyLock<Sides> = LazyLock::new(|| {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).expect("a name");
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).expect("a certificate");
    let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der()).into();
    let server = ServerConfig::builder().with_no_client_auth();
    let server = server.with_single_cert(vec![cert.der().clone()], key).expect("its key");
    let clients = [&TLS12, &TLS13].map(|version| {
        let config = ClientConfig::builder_with_protocol_versions(&[version]);
        Arc::new(config.with_root_certificates(roots.clone()).with_no_client_auth())
    });
    Sides { server: TlsConfig::new(Arc::new(server)).expect("good"), clients }
});

/// A script of steps (how, length, that many bytes) for a real client whose bytes are changed on their way: each call
/// takes something; the end of the peer is final; nothing is kept beyond the bound.
pub(crate) fn tls(data: &[u8]) {
    let Some((&how, mut script)) = data.split_first() else { return };
    let mut client = SIDES.client(how & 1 != 0);
    let mut session = SIDES.server.session();
    // One that has closed or failed must not be given more: it is no part of what is tested.
    let mut hears = true;
    let portion = usize::from(how >> 1).pow(2) + 1;
    while let [step, len, rest @ ..] = script {
        let bytes;
        (bytes, script) = rest.split_at(rest.len().min(usize::from(*len)));
        match step % 8 {
            // The client's own bytes as they are, or damaged; the answer comes to it.
            0 | 1 => {
                let mut flight = from(&mut client);
                if step % 8 == 1 {
                    damage(&mut flight, bytes);
                }
                take(&mut session, &flight, portion);
                let mut answer = session.output();
                answer.truncate(64 * 1024);
                hears = hears && to(&mut client, &answer);
            }
            2 => {
                let _ = client.writer().write_all(bytes);
            }
            3 => {
                client.send_close_notify();
                hears = false;
            }
            // What no client has encrypted: any bytes, or whole records of any kind, many of them.
            4 => take(&mut session, bytes, portion),
            5 => {
                let Some((kind, content)) = bytes.split_first() else { continue };
                let record = [&[*kind, 3, 3, 0, content.len() as u8], content].concat();
                take(&mut session, &record.repeat(1 + 80 * usize::from(step >> 3)), portion);
            }
            6 => {
                let _ = session.send(bytes);
            }
            _ => session.close(),
        }
    }
    session.output();
}

fn from(client: &mut ClientConnection) -> Vec<u8> {
    let mut bytes = Vec::new();
    while client.wants_write() {
        client.write_tls(&mut bytes).expect("a vector takes everything");
    }
    bytes
}

/// Whether it can take more.
fn to(client: &mut ClientConnection, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        if !matches!(client.read_tls(&mut bytes), Ok(1..)) || client.process_new_packets().is_err() {
            return false;
        }
        let _ = client.reader().read_to_end(&mut Vec::new());
    }
    true
}

fn take(session: &mut TlsSession, cipher: &[u8], portion: usize) {
    for mut rest in cipher.chunks(portion) {
        while !rest.is_empty() {
            let (offered, ended) = (rest.len(), session.has_ended());
            let received = session.receive(&mut rest);
            assert!(rest.len() < offered, "each call takes something");
            assert!(rest.is_empty() || !session.plain().is_empty(), "all is taken, or there is plaintext");
            assert!(session.plain().len() <= PLAIN_BYTES_MAX, "what is kept is bounded");
            if received.is_err() {
                assert!(session.has_ended() && !ended, "it fails once, at the end");
                assert!(session.send(b"an answer").is_err(), "nothing is sent to a peer that is refused");
            }
            if ended {
                assert!(
                    session.has_ended() && rest.is_empty() && session.plain().is_empty(),
                    "the end is final"
                );
            }
            session.consume(session.plain().len());
        }
    }
}
