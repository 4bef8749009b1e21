//! The certificate that a host shows, which can be replaced while it runs.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::tls::certificates;
use super::validity::Validity;

/// What a private key may be.
pub(crate) const KEYS: &str = "it takes an unencrypted private key in PEM: PKCS#8, PKCS#1 (RSA) or SEC1 (EC), of RSA \
                               with 2048 to 8192 bits, ECDSA with P-256 or P-384, or Ed25519";

/// The files of a certificate and its key, and what was last read of them.
#[derive(Debug)]
pub(crate) struct Identity {
    cert: PathBuf,
    key: PathBuf,
    provider: Arc<CryptoProvider>,
    shown: RwLock<Arc<CertifiedKey>>,
}

impl Identity {
    /// Reads the files. An error names the file and what to do.
    pub(super) fn read(cert: &Path, key: &Path, provider: &Arc<CryptoProvider>) -> Result<Self, String> {
        let shown = read(cert, key, provider)?.into();
        Ok(Self {
            cert: cert.to_owned(),
            key: key.to_owned(),
            provider: provider.clone(),
            shown: RwLock::new(shown),
        })
    }

    /// Reads the files again, for connections to come. An error leaves what there is.
    pub(super) fn read_again(&self) -> Result<(), String> {
        let read = Arc::new(read(&self.cert, &self.key, &self.provider)?);
        *self.shown.write().unwrap_or_else(PoisonError::into_inner) = read;
        Ok(())
    }

    fn shown(&self) -> Arc<CertifiedKey> {
        self.shown.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Of the certificates that it shows, what they have in common.
    pub(super) fn validity(&self) -> Option<Validity> {
        let shown = self.shown();
        let each = shown.cert.iter().filter_map(|certificate| Validity::of(certificate));
        each.reduce(|one, other| Validity {
            from: one.from.max(other.from),
            until: one.until.min(other.until),
        })
    }
}

impl ResolvesServerCert for Identity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.shown())
    }
}

fn read(cert: &Path, key: &Path, provider: &CryptoProvider) -> Result<CertifiedKey, String> {
    let chain = certificates(cert)?;
    let file = key.display();
    let key =
        PrivateKeyDer::from_pem_file(key).map_err(|error| format!("tls_key: {file}: {error}; {KEYS}"))?;
    CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
        // What the key can't be read for has no kind of its own.
        rustls::Error::General(why) => format!("tls_key: {file}: {why}; {KEYS}"),
        error => format!("tls_cert and tls_key: {} and {file}: {error}", cert.display()),
    })
}
