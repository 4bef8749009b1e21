//! Encryption: which files, for which ports.

use std::path::Path;
use std::sync::Arc;

use logtank_os::startup::exposed_mode;
use logtank_os::tls::TlsConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

use super::identity::Identity;
use super::settings::Check;

/// The ports, by the beginning of their address's setting.
const PORTS: [&str; 4] = ["writer", "reader", "manager", "metrics"];

/// How connections to an encrypted port are made.
#[derive(Clone, Debug)]
pub(crate) struct PortTls {
    config: TlsConfig,
    mutual: bool,
    identity: Arc<Identity>,
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
    /// What is to be said of who may read the key.
    exposure: Option<String>,
}

impl Tls {
    /// What is to be known of who may read the host's key, although it works.
    pub(super) fn exposure(&self) -> Option<&str> {
        self.exposure.as_deref()
    }

    /// Of the port whose address's setting is `name` (`writer_addr` or `writer`); `None` if it is not encrypted.
    pub(crate) fn of(&self, name: &str) -> Option<&PortTls> {
        let port = name.trim_end_matches("_addr");
        self.how.as_ref().filter(|_| self.ports.contains(&port))
    }

    /// When clients begin to refuse the host's certificate, in seconds since 1970; `None` without one.
    pub(crate) fn expiry(&self) -> Option<u64> {
        Some(self.how.as_ref()?.identity.validity()?.until)
    }

    /// What is to be known of the host's certificate.
    pub(crate) fn warning(&self, now: std::time::SystemTime) -> Option<String> {
        let warning = self.how.as_ref()?.identity.validity()?.warning(now)?;
        Some(format!("tls_cert: {warning}; put another one there and send SIGHUP to the host"))
    }

    /// Reads certificate and key again, for connections to come; `None` if nothing is encrypted.
    ///
    /// # Errors
    /// What is wrong with which file; the host goes on with those that it has.
    pub(crate) fn read_again(&self) -> Option<Result<(), String>> {
        Some(self.how.as_ref()?.identity.read_again())
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
            Ok((config, identity)) => Self {
                how: Some(PortTls { config, mutual: client_ca.is_some(), identity }),
                ports,
                exposure: exposure(&key),
            },
            Err(error) => {
                check.problems.add(&check.layers.get("tls_cert").origin, error);
                Self::default()
            }
        }
    }
}

/// Refusing the key would stop a host that worked before; its owner has to hear of it all the same.
fn exposure(key: &Path) -> Option<String> {
    let mode = exposed_mode(key).ok().flatten()?;
    Some(format!(
        "tls_key: {} is for more users than need it (mode {mode:04o}): chmod 600 {0}, or 640 with another owner; if one \
         may have read it, have a new certificate made",
        key.display()
    ))
}

/// Reads the files and tries what they say. An error names the file and what to do.
fn load(cert: &Path, key: &Path, client_ca: Option<&Path>) -> Result<(TlsConfig, Arc<Identity>), String> {
    let builder = ServerConfig::builder();
    let identity = Arc::new(Identity::read(cert, key, builder.crypto_provider())?);
    let builder = match client_ca {
        None => builder.with_no_client_auth(),
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
            builder.with_client_cert_verifier(verifier)
        }
    };
    let config = TlsConfig::new(Arc::new(builder.with_cert_resolver(identity.clone())))
        .map_err(|error| format!("tls_cert and tls_key: {error}"))?;
    Ok((config, identity))
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
