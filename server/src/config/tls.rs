//! Encryption: which files, for which ports.

use std::path::Path;
use std::sync::Arc;

use logtank_os::tls::TlsConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

use super::settings::Check;
use super::validity::Validity;

/// What a private key may be.
pub(crate) const KEYS: &str = "it takes an unencrypted private key in PEM: PKCS#8, PKCS#1 (RSA) or SEC1 (EC), of RSA \
                               with 2048 to 8192 bits, ECDSA with P-256 or P-384, or Ed25519";

/// The ports, by the beginning of their address's setting.
const PORTS: [&str; 4] = ["writer", "reader", "manager", "metrics"];

/// How connections to an encrypted port are made.
#[derive(Clone, Debug)]
pub(crate) struct PortTls {
    config: TlsConfig,
    mutual: bool,
    /// Of the certificates that it shows, what they have in common.
    validity: Option<Validity>,
}

impl PortTls {
    /// For whoever makes the connections.
    pub(crate) const fn config(&self) -> &TlsConfig {
        &self.config
    }

    /// Whether a client has to show who it is.
    pub(super) const fn wants_clients_certificates(&self) -> bool {
        self.mutual
    }
}

/// Which ports are encrypted, and how.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tls {
    how: Option<PortTls>,
    ports: Vec<&'static str>,
}

impl Tls {
    /// Of the port whose address's setting is `name` (`writer_addr` or `writer`); `None` if it is not encrypted.
    pub(crate) fn of(&self, name: &str) -> Option<&PortTls> {
        let port = name.trim_end_matches("_addr");
        self.how.as_ref().filter(|_| self.ports.contains(&port))
    }

    /// When clients begin to refuse the host's certificate, in seconds since 1970; `None` without one.
    pub(crate) fn expiry(&self) -> Option<u64> {
        Some(self.how.as_ref()?.validity?.until)
    }

    /// What is to be known of the host's certificate.
    pub(super) fn warning(&self, now: std::time::SystemTime) -> Option<String> {
        let warning = self.how.as_ref()?.validity?.warning(now)?;
        Some(format!("tls_cert: {warning}; put another one there and restart the host"))
    }

    pub(super) fn check(check: &mut Check<'_>) -> Self {
        let ports = check.get("tls_ports", Vec::new(), |text| {
            let port = |word: &str| {
                let word = word.trim();
                PORTS
                    .into_iter()
                    .find(|port| *port == word)
                    .ok_or_else(|| format!("`{word}` is no port; there are {}", PORTS.join(", ")))
            };
            text.split(',').map(port).collect()
        });
        let cert = check.optional_path("tls_cert");
        let key = check.optional_path("tls_key");
        let client_ca = check.optional_path("tls_client_ca");
        let (cert, key) = match (cert, key) {
            (Some(cert), Some(key)) => (cert, key),
            (None, None) => {
                if client_ca.is_some() {
                    let origin = &check.layers.get("tls_client_ca").origin;
                    let what = "tls_client_ca: clients can show certificates only where connections are encrypted; give \
                                tls_cert and tls_key too";
                    check.problems.add(origin, what);
                }
                return Self::default();
            }
            (cert, _) => {
                let (given, missing) =
                    if cert.is_some() { ("tls_cert", "tls_key") } else { ("tls_key", "tls_cert") };
                let origin = &check.layers.get(given).origin;
                check
                    .problems
                    .add(origin, format_args!("{given}: {missing} is missing; encryption needs both"));
                return Self::default();
            }
        };
        match load(&cert, &key, client_ca.as_deref()) {
            Ok((config, validity)) => {
                Self { how: Some(PortTls { config, mutual: client_ca.is_some(), validity }), ports }
            }
            Err(error) => {
                check.problems.add(&check.layers.get("tls_cert").origin, error);
                Self::default()
            }
        }
    }
}

/// Reads the files and tries what they say. An error names the file and what to do.
fn load(cert: &Path, key: &Path, client_ca: Option<&Path>) -> Result<(TlsConfig, Option<Validity>), String> {
    let chain = certificates(cert)?;
    let validity = chain
        .iter()
        .filter_map(|certificate| Validity::of(certificate))
        .reduce(|one, other| Validity { from: one.from.max(other.from), until: one.until.min(other.until) });
    let key_file = key.display();
    let key =
        PrivateKeyDer::from_pem_file(key).map_err(|error| format!("tls_key: {key_file}: {error}; {KEYS}"))?;
    let builder = match client_ca {
        None => ServerConfig::builder().with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for authority in certificates(path)? {
                roots
                    .add(authority)
                    .map_err(|error| format!("tls_client_ca: {}: no authority: {error}", path.display()))?;
            }
            let verifier = WebPkiClientVerifier::builder(Arc::new(roots))
                .build()
                .map_err(|error| format!("tls_client_ca: {}: {error}", path.display()))?;
            ServerConfig::builder().with_client_cert_verifier(verifier)
        }
    };
    let config = builder.with_single_cert(chain, key).map_err(|error| match error {
        // What the key can't be read for has no kind of its own.
        rustls::Error::General(why) => format!("tls_key: {key_file}: {why}; {KEYS}"),
        error => format!("tls_cert and tls_key: {} and {key_file}: {error}", cert.display()),
    })?;
    let config =
        TlsConfig::new(Arc::new(config)).map_err(|error| format!("tls_cert and tls_key: {error}"))?;
    Ok((config, validity))
}

/// All certificates of a file; at least one.
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let at = path.display();
    let certificates = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| format!("{at}: {error}; it takes certificates in PEM"))?;
    if certificates.is_empty() {
        return Err(format!("{at} has no certificate in PEM"));
    }
    Ok(certificates)
}
