//! Certificates for encrypted ports.

use std::fs::Permissions;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use crate::program::{run, run_with_input};
use crate::serve::Host;

/// A certificate that signed itself, valid for these whole years, and its key: their files.
pub(crate) fn files(folder: &Path, name: &str, years: std::ops::Range<i32>) -> [String; 2] {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    params.not_before = date_time_ymd(years.start, 1, 1);
    params.not_after = date_time_ymd(years.end, 1, 1);
    let certificate = params.self_signed(&key).unwrap();
    let path = |kind: &str| folder.join(format!("{name}.{kind}")).to_str().unwrap().to_owned();
    std::fs::write(path("pem"), certificate.pem()).unwrap();
    std::fs::write(path("key"), key.serialize_pem()).unwrap();
    // Any other mode is warned of.
    std::fs::set_permissions(path("key"), Permissions::from_mode(0o600)).unwrap();
    [path("pem"), path("key")]
}

#[test]
fn a_certificate_out_of_its_time_is_warned_of_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    for (name, years, said, expiry) in [
        ("expired", 2001..2002, "the certificate expired at 2002-01-01T00:00:00Z", "1009843200"),
        ("future", 2110..2120, "the certificate is not valid before 2110-01-01", "4733510400"),
        ("valid", 2020..2120, "", "4733510400"),
    ] {
        let [cert, key] = files(folder.path(), name, years);
        let tls = ["--tls-cert", &cert, "--tls-key", &key, "--tls-ports", "writer"];
        let outcome = run(&[&["check-config"][..], &tls].concat());
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        assert!(outcome.err.contains(said) && said.is_empty() == outcome.err.is_empty(), "{outcome:?}");
        let host = Host::start(&folder.path().join("data"), &tls);
        let line = format!("\nlogtank_certificate_expiry_timestamp_seconds {expiry}\n");
        assert!(host.get("/metrics").contains(&line), "{}", host.get("/metrics"));
        let (code, log) = host.stop();
        let mut warnings = log.lines().filter(|line| line.contains("WARN") && line.contains("tls_cert"));
        assert_eq!(warnings.next().is_some_and(|line| line.contains(said)), !said.is_empty());
        assert_eq!(code, Some(0));
    }
}

#[test]
fn a_key_that_can_not_be_read_is_told_what_is() {
    let folder = tempfile::tempdir().unwrap();
    let [cert, key] = files(folder.path(), "host", 2020..2120);
    // PEM of a kind that is read, around bytes that are no key; and one that is encrypted.
    for kind in ["PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY", "ENCRYPTED PRIVATE KEY"] {
        std::fs::write(&key, format!("-----BEGIN {kind}-----\nMAA=\n-----END {kind}-----\n")).unwrap();
        let outcome = run(&["check-config", "--tls-cert", &cert, "--tls-key", &key]);
        assert_eq!(outcome.code, Some(1), "{kind}: {outcome:?}");
        for said in ["host.key", "PKCS#8, PKCS#1 (RSA) or SEC1 (EC)", "P-256"] {
            assert!(outcome.err.contains(said), "{kind}: {said}: {}", outcome.err);
        }
    }
}

#[test]
fn a_certificate_that_was_replaced_is_shown_after_sighup() {
    let folder = tempfile::tempdir().unwrap();
    let [cert, key] = files(folder.path(), "host", 2020..2110);
    let tls = ["--tls-cert", &cert, "--tls-key", &key, "--tls-ports", "writer,reader"];
    let host = Host::start(&folder.path().join("data"), &tls);
    let [old, _] = files(folder.path(), "old", 2020..2110);
    std::fs::copy(&cert, &old).unwrap();
    let code = |ca: &str| {
        let write = ["write", "--addr", host.address("writer"), "--index", "m", "--tls-ca", ca];
        run_with_input(&write, "{\"docid\":\"a\"}\n").code
    };
    assert_eq!(code(&old), Some(0));

    // A key that is not the certificate's changes nothing.
    let [new, new_key] = files(folder.path(), "new", 2020..2120);
    std::fs::copy(&new, &cert).unwrap();
    host.signal("HUP");
    let line = host.line_with("goes on with the certificate");
    assert!(line.contains("ERROR"), "{line}");
    assert_eq!(code(&old), Some(0));

    std::fs::copy(&new_key, &key).unwrap();
    host.signal("HUP");
    host.line_with("new connections see the certificate");
    assert_eq!((code(&new), code(&old)), (Some(0), Some(1)));
    let expiry = "\nlogtank_certificate_expiry_timestamp_seconds 4733510400\n";
    assert!(host.get("/metrics").contains(expiry), "{}", host.get("/metrics"));

    // Who does not encrypt is counted, and named by its address.
    let mut plain = TcpStream::connect(host.address("reader")).unwrap();
    plain.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    plain.read_to_end(&mut Vec::new()).unwrap();
    host.line_with(&plain.local_addr().unwrap().to_string());
    assert!(host.get("/metrics").contains("logtank_index_tls_failures_total{port=\"reader\"} 1\n"));
    assert_eq!(host.stop().0, Some(0));
}

#[test]
fn a_part_of_an_encrypted_record_is_not_waited_for_without_end() {
    let folder = tempfile::tempdir().unwrap();
    let [cert, key] = files(folder.path(), "host", 2020..2110);
    let ports = ["--tls-ports", "writer,reader,manager", "--message-timeout", "2s"];
    let tls = [&["--tls-cert", &cert, "--tls-key", &key][..], &ports].concat();
    let host = Host::start(&folder.path().join("data"), &tls);
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&cert).unwrap()).unwrap();
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let config = Arc::new(config);
    for port in ["writer", "reader", "manager"] {
        let name = "127.0.0.1".try_into().unwrap();
        let mut session = ClientConnection::new(config.clone(), name).unwrap();
        let mut stream = TcpStream::connect(host.address(port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        while session.is_handshaking() {
            session.complete_io(&mut stream).unwrap();
        }
        // The head of a record, and two of its 50 bytes.
        stream.write_all(&[0x17, 3, 3, 0, 50, 1, 2]).unwrap();
        stream.read_to_end(&mut Vec::new()).unwrap_or_else(|error| panic!("{port}: {error}"));
    }
    assert_eq!(host.stop().0, Some(0));
}
