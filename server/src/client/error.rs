//! Why a call has no result, and whether another attempt could have one.

use std::io;

use logtank_engine::recovery_read::TRY_AGAIN;
use logtank_wire::client::response::ResponseError;
use logtank_wire::foreign::Foreign;
use rustls::{AlertDescription, InvalidMessage};

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// The connection failed: whether the host carried the call out is unknown.
    #[error("the connection failed: {0}")]
    Connection(io::Error),
    /// What answered is no port of a host's that this call is for.
    #[error("{0}")]
    NotThere(String),
    /// The host's reply is no Thrift, or not the reply to this call.
    #[error("the host's reply can't be read: {0}")]
    Protocol(String),
    /// The host answered with an exception.
    #[error("the host answered: {0}")]
    Refused(String),
}

impl CallError {
    /// Whether it may pass without anybody doing something about it.
    pub(crate) fn may_pass(&self) -> bool {
        use io::ErrorKind::{
            BrokenPipe, ConnectionAborted, ConnectionRefused, ConnectionReset, HostUnreachable, Interrupted,
            NetworkDown, NetworkUnreachable, TimedOut, UnexpectedEof, WouldBlock,
        };
        match self {
            Self::Connection(error) => matches!(
                error.kind(),
                BrokenPipe
                    | ConnectionAborted
                    | ConnectionRefused
                    | ConnectionReset
                    | HostUnreachable
                    | Interrupted
                    | NetworkDown
                    | NetworkUnreachable
                    | TimedOut
                    | UnexpectedEof
                    | WouldBlock
            ),
            Self::Refused(text) => text.contains(TRY_AGAIN),
            Self::NotThere(_) | Self::Protocol(_) => false,
        }
    }

    /// Of an error while bytes were sent or received.
    pub(super) fn of_stream(error: io::Error) -> Self {
        // A timed out read says "resource temporarily unavailable", which helps nobody.
        if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) {
            let what = "no reply in time; is the host overloaded?";
            return io::Error::new(io::ErrorKind::TimedOut, what).into();
        }
        let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        match tls.and_then(of_encryption) {
            Some(what) => Self::NotThere(what),
            None => error.into(),
        }
    }

    /// Of what was received, `wanted` being what should have been ("Thrift", "HTTP"); `None` if it may be that.
    pub(super) fn of_foreign(received: &[u8], wanted: &str) -> Option<Self> {
        // No text and no record of TLS is a length of fewer bytes.
        const LENGTH_MAX: usize = 1 << 28;
        let thrift = received.starts_with(&[0x80, 1]) || received.starts_with(&[0, 0]);
        let what = match Foreign::recognize(received, LENGTH_MAX) {
            Some(Foreign::Tls | Foreign::TlsAlert) => {
                "the port is encrypted: give --tls-ca, and where the host wants to know its clients --tls-cert and --tls-key"
                    .to_owned()
            }
            Some(Foreign::Http) if wanted != "HTTP" => {
                "the port answers in HTTP: it is a host's metrics port, or another program listens there".to_owned()
            }
            None if thrift && wanted != "Thrift" => {
                "the port answers in Thrift: it is none of a host's metrics".to_owned()
            }
            Some(Foreign::Text) => format!(
                "the port answers with text (`{}`): another program listens there",
                received[..received.len().min(20)].trim_ascii().escape_ascii()
            ),
            _ => return None,
        };
        Some(Self::NotThere(what))
    }
}

/// What to do about an encryption that failed, where that can be said.
fn of_encryption(error: &rustls::Error) -> Option<String> {
    use rustls::Error::{AlertReceived, InvalidCertificate};
    Some(match error {
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "the port is not encrypted, or is none of a host's: leave --tls-ca out".to_owned()
        }
        AlertReceived(AlertDescription::CertificateRequired) => {
            "the host wants to know its clients: give --tls-cert and --tls-key".to_owned()
        }
        AlertReceived(_) => format!("the host refuses the encryption ({error}): look at --tls-cert"),
        InvalidCertificate(_) => {
            format!("the host's certificate is not accepted ({error}): look at --tls-ca and --tls-name")
        }
        _ => return None,
    })
}

// By hand: the cause is part of the text, and would be printed twice as a source.
impl From<io::Error> for CallError {
    fn from(error: io::Error) -> Self {
        Self::Connection(error)
    }
}

impl From<ResponseError> for CallError {
    fn from(error: ResponseError) -> Self {
        match error {
            ResponseError::Exception { text, .. } => Self::Refused(text),
            other @ (ResponseError::NotAReply | ResponseError::NoResult | ResponseError::Malformed(_)) => {
                Self::Protocol(other.to_string())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_pass_is_worth_another_attempt() {
        let refused = |text: &str| CallError::Refused(text.to_owned()).may_pass();
        assert!(refused("the files changed too often; try the same token again"));
        assert!(!refused("this host is not safe to read"));
        assert!(!refused("Invalid method name: 'read_page'; this is the port of LogWriter: send_batch"));
        let failed = |kind: io::ErrorKind| CallError::from(io::Error::from(kind)).may_pass();
        assert!(failed(io::ErrorKind::ConnectionRefused) && failed(io::ErrorKind::UnexpectedEof));
        assert!(!failed(io::ErrorKind::InvalidData) && !failed(io::ErrorKind::NotFound));
    }

    #[test]
    fn what_answers_in_place_of_a_host_is_named() {
        let said = |bytes: &[u8], wanted| CallError::of_foreign(bytes, wanted).map(|error| error.to_string());
        let has = |bytes: &[u8], wanted, what| said(bytes, wanted).is_some_and(|text| text.contains(what));
        assert!(has(b"\x15\x03\x03\0\x02\x02\x46", "Thrift", "--tls-ca"));
        assert!(has(b"HTTP/1.1 400 Bad Request\r\n", "Thrift", "metrics port"));
        assert!(has(b"SSH-2.0-OpenSSH_9.2\r\n", "Thrift", "`SSH-2.0-OpenSSH_9.2`"));
        assert!(has(b"\x80\x01\0\x03\0\0\0\0", "HTTP", "answers in Thrift"));
        assert_eq!(said(b"HTTP/1.1 200 OK\r\n", "HTTP"), None);
        assert_eq!(said(b"\x80\x01\0\x02\0\0\0\0", "Thrift"), None);
    }
}
