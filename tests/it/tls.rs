//! Encrypted ports, as the commands use them.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use logtank_tests::host::{Host, run};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

/// An authority and the files of what it signed.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: PathBuf,
}

impl Authority {
    fn new(folder: &Path, name: &str) -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = folder.join(name);
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("ca.pem"), issuer.pem()).unwrap();
        Self { issuer, folder }
    }

    fn ca(&self) -> String {
        self.folder.join("ca.pem").to_str().unwrap().to_owned()
    }

    /// Paths of a certificate and its key.
    fn issue(&self, name: &str) -> [String; 2] {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["storage.example".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let path = |kind: &str| self.folder.join(format!("{name}.{kind}")).to_str().unwrap().to_owned();
        std::fs::write(path("pem"), certificate.pem()).unwrap();
        std::fs::write(path("key"), key.serialize_pem()).unwrap();
        std::fs::set_permissions(path("key"), std::fs::Permissions::from_mode(0o600)).unwrap();
        [path("pem"), path("key")]
    }
}

const LINE: &[u8] = br#"{"docid":"d","deleted":false,"fields":{"text":"t"},"variables":{},"categories":{}}"#;

#[test]
fn the_commands_write_read_and_ask_an_encrypted_host_that_wants_to_know_them() {
    let folder = tempfile::tempdir().unwrap();
    let (authority, stranger) = (Authority::new(folder.path(), "a"), Authority::new(folder.path(), "b"));
    let [host_cert, host_key] = authority.issue("host");
    let ca = authority.ca();
    let tls = ["--tls-cert", &host_cert, "--tls-key", &host_key, "--tls-client-ca", &ca];
    let mut host = Host::started(&folder.path().join("data"), &tls);
    let (writer, reader) = (host.writer().to_string(), host.reader().to_string());
    let (manager, metrics) = (host.manager().to_string(), host.metrics().to_string());

    let [cert, key] = authority.issue("client");
    let known = ["--tls-ca", &ca, "--tls-cert", &cert, "--tls-key", &key];
    let write = ["write", "--addr", &writer, "--index", "i"];
    let (code, _, error) = run(&[&write[..], &known[..]].concat(), LINE);
    assert_eq!(code, Some(0), "{error}");
    let (code, out, error) = run(&[&["read", "--addr", &reader, "i"][..], &known[..]].concat(), b"");
    assert_eq!(code, Some(0), "{error}");
    assert_eq!(out.trim_end().as_bytes(), LINE);
    let status = ["status", "--manager-addr", &manager, "--metrics-addr", &metrics, "--json"];
    let (code, out, error) = run(&[&status[..], &known[..]].concat(), b"");
    assert_eq!(code, Some(0), "{error}");
    assert!(out.contains("\"ready\""), "{out}");
    // By the name in the certificate, though the address is another.
    let named = [&write[..], &known[..], &["--tls-name", "storage.example"]].concat();
    assert_eq!(run(&named, LINE).0, Some(0));

    let [cert, key] = stranger.issue("client");
    for (what, arguments) in [
        ("no encryption", vec![]),
        ("no certificate", vec!["--tls-ca", &ca]),
        ("a certificate of others", vec!["--tls-ca", &ca, "--tls-cert", &cert, "--tls-key", &key]),
        ("an authority that did not sign the host's", vec!["--tls-ca", &cert]),
        ("another name", [&known[..], &["--tls-name", "elsewhere.example"]].concat()),
    ] {
        let (code, _, error) = run(&[&write[..], &arguments[..]].concat(), LINE);
        assert_eq!(code, Some(1), "{what}: {error}");
    }
    host.stop();
}

#[test]
fn what_is_wrong_with_the_files_is_said_before_anything_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path(), "a");
    let ([cert, key], [_, other_key]) = (authority.issue("host"), authority.issue("other"));
    let data = folder.path().join("data").to_str().unwrap().to_owned();
    let missing = folder.path().join("missing.pem").to_str().unwrap().to_owned();
    for (arguments, said) in [
        (vec!["--tls-cert", &cert], "tls_key is missing"),
        (vec!["--tls-client-ca", &cert], "give tls_cert and tls_key too"),
        (vec!["--tls-cert", &missing, "--tls-key", &key], "missing.pem"),
        (vec!["--tls-cert", &key, "--tls-key", &key], "has no certificate in PEM"),
        (vec!["--tls-cert", &cert, "--tls-key", &cert], "unencrypted private key in PEM"),
        (vec!["--tls-cert", &cert, "--tls-key", &other_key], "tls_cert and tls_key"),
        (vec!["--tls-cert", &cert, "--tls-key", &key, "--tls-ports", "writer,door"], "`door` is no port"),
        (vec!["--writer-addr", "0.0.0.0:0"], "without encryption"),
    ] {
        for command in ["check-config", "serve"] {
            let (code, _, error) = run(&[&[command, "--data", &data][..], &arguments[..]].concat(), b"");
            assert_ne!(code, Some(0), "{arguments:?}");
            assert!(error.contains(said), "{arguments:?}: {error}");
        }
    }
    assert!(!Path::new(&data).exists());
    // Encrypted, another address needs no further word; without clients' certificates it is worth a warning.
    let open = ["check-config", "--writer-addr", "0.0.0.0:1", "--tls-cert", &cert, "--tls-key", &key];
    let (code, _, error) = run(&open, b"");
    assert_eq!(code, Some(0), "{error}");
    assert!(error.contains("there is no authentication"), "{error}");
    let (code, _, error) = run(&[&open[..], &["--tls-client-ca", &cert]].concat(), b"");
    assert_eq!((code, error.as_str()), (Some(0), ""));
}
