use std::io;
use std::net::TcpStream;
use std::sync::Arc;

use anyhow::Context;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::cli::TlsArgs;
use crate::config::{KEYS, certificates};

/// How connections of a command are encrypted, if they are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Encryption(Option<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    config: Arc<ClientConfig>,
    name: Option<ServerName<'static>>,
}

impl Encryption {
    /// Reads the files.
    ///
    /// # Errors
    /// What is wrong with which.
    pub(crate) fn load(args: &TlsArgs) -> anyhow::Result<Self> {
        let Some(authorities) = &args.tls_ca else { return Ok(Self(None)) };
        let mut roots = RootCertStore::empty();
        for authority in certificates(authorities).map_err(anyhow::Error::msg)? {
            roots.add(authority).with_context(|| format!("{} is no authority", authorities.display()))?;
        }
        let builder = ClientConfig::builder().with_root_certificates(roots);
        let config = match (&args.tls_cert, &args.tls_key) {
            (Some(cert), Some(key)) => {
                let chain = certificates(cert).map_err(anyhow::Error::msg)?;
                let key = PrivateKeyDer::from_pem_file(key)
                    .with_context(|| format!("{}: {KEYS}", key.display()))?;
                builder
                    .with_client_auth_cert(chain, key)
                    .with_context(|| format!("--tls-cert and --tls-key: of the key, {KEYS}"))?
            }
            _ => builder.with_no_client_auth(),
        };
        let name = args.tls_name.clone().map(ServerName::try_from).transpose().context("--tls-name")?;
        Ok(Self(Some(Inner { config: Arc::new(config), name })))
    }

    /// The stream to use in place of `socket`, which is connected to `HOST:PORT`.
    ///
    /// # Errors
    /// If the host's part of the address can be the name of no certificate. What the host shows is seen with the first
    /// bytes.
    pub(super) fn wrap(&self, socket: TcpStream, address: &str) -> io::Result<Stream> {
        let Some(Inner { config, name }) = &self.0 else { return Ok(Stream::Plain(socket)) };
        let name = match name {
            Some(name) => name.clone(),
            None => {
                let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
                let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
                ServerName::try_from(host)
                    .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?
            }
        };
        let connection = ClientConnection::new(config.clone(), name).map_err(io::Error::other)?;
        Ok(Stream::Secured(Box::new(StreamOwned::new(connection, socket))))
    }
}

/// A connection's bytes, encrypted or not.
#[derive(Debug)]
pub(super) enum Stream {
    Plain(TcpStream),
    Secured(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl io::Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Secured(stream) => stream.read(buffer),
        }
    }
}

impl io::Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Secured(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Secured(stream) => stream.flush(),
        }
    }
}
