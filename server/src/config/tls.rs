//! Encryption: which files, for which ports.

use std::path::Path;
use std::sync::Arc;

use logtank_os::tls::TlsConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

use super::settings::Check;

/// The ports, by the beginning of their address's setting.
const PORTS: [&str; 4] = ["writer", "reader", "manager", "metrics"];

/// How connections to an encrypted port are made.
#[derive(Clone, Debug)]
pub(crate) struct PortTls {
    config: TlsConfig,
    mutual: bool,
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
            Ok(config) => Self { how: Some(PortTls { config, mutual: client_ca.is_some() }), ports },
            Err(error) => {
                check.problems.add(&check.layers.get("tls_cert").origin, error);
                Self::default()
            }
        }
    }
}

/// Reads the files and tries what they say. An error names the file and what to do.
fn load(cert: &Path, key: &Path, client_ca: Option<&Path>) -> Result<TlsConfig, String> {
    let chain = certificates(cert)?;
    let key_file = key.display();
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| {
        format!("tls_key: {key_file}: {error}; it takes an unencrypted private key in PEM")
    })?;
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
    let config = builder
        .with_single_cert(chain, key)
        .map_err(|error| format!("tls_cert and tls_key: {} and {key_file}: {error}", cert.display()))?;
    TlsConfig::new(Arc::new(config)).map_err(|error| format!("tls_cert and tls_key: {error}"))
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
