//! What a peer speaks that does not speak Thrift's binary protocol, by how it begins. For both sides: a port says what it
//! was taken for, and a client what it has reached.

/// Another protocol than Thrift's `TBinaryProtocol`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreign {
    /// A request or a response of HTTP, of any version.
    Http,
    /// The handshake of an encrypted connection.
    Tls,
    /// An encrypted connection's word that it ends.
    TlsAlert,
    /// The header with which a proxy says for whom it speaks.
    Proxy,
    /// Thrift's `TCompactProtocol`.
    Compact {
        /// With lengths in front.
        framed: bool,
    },
    /// Thrift's `TJSONProtocol`.
    Json {
        /// With lengths in front.
        framed: bool,
    },
    /// Thrift's `THeaderTransport`.
    Header,
    /// Text that is none of these.
    Text,
}

/// The first two bytes of a TLS record, but for its minor version: an alert, a handshake.
const TLS_ALERT: [u8; 2] = [0x15, 0x03];
const TLS_HANDSHAKE: [u8; 2] = [0x16, 0x03];
/// How a proxy's header begins in the second version; the first one is text.
const PROXY_2: &[u8] = b"\r\n\r\n";
/// The identifier of `TCompactProtocol`.
const COMPACT: u8 = 0x82;
/// The first byte of the identifier of `THeaderTransport`, behind a length.
const HEADER: u8 = 0x0f;

impl Foreign {
    /// What the bytes of a connection begin like, of which the first four decide, or with a length in front of them the
    /// fifth. `None` for what can be `TBinaryProtocol`, for what is unknown, and for less than four bytes.
    ///
    /// A length of more than `message_bytes_max` is none.
    #[must_use]
    pub fn recognize(bytes: &[u8], message_bytes_max: usize) -> Option<Self> {
        let first: &[u8; 4] = bytes.first_chunk()?;
        match first {
            b"PROX" => return Some(Self::Proxy),
            _ if first.iter().all(|byte| byte.is_ascii_uppercase() || matches!(byte, b' ' | b'/')) => {
                return Some(Self::Http);
            }
            [COMPACT, ..] => return Some(Self::Compact { framed: false }),
            _ => {}
        }
        if u32::from_be_bytes(*first) as usize <= message_bytes_max {
            return match bytes.get(4)? {
                &COMPACT => Some(Self::Compact { framed: true }),
                &HEADER => Some(Self::Header),
                b'[' | b'{' => Some(Self::Json { framed: true }),
                _ => None,
            };
        }
        match first {
            [kind, version, ..] if [*kind, *version] == TLS_HANDSHAKE => Some(Self::Tls),
            [kind, version, ..] if [*kind, *version] == TLS_ALERT => Some(Self::TlsAlert),
            _ if first == PROXY_2 => Some(Self::Proxy),
            b"[1,\"" => Some(Self::Json { framed: false }),
            _ if first.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace()) => {
                Some(Self::Text)
            }
            _ => None,
        }
    }

    /// Whether its messages have lengths in front, and an answer should too.
    pub(crate) const fn is_framed(self) -> bool {
        matches!(self, Self::Compact { framed: true } | Self::Json { framed: true } | Self::Header)
    }

    /// What is wrong with a connection that begins like it.
    pub(crate) const fn fault(self) -> &'static str {
        match self {
            Self::Http => "the connection begins like HTTP",
            Self::Tls | Self::TlsAlert => "the connection begins like TLS",
            Self::Proxy => "the connection begins with the header of a proxy (PROXY protocol)",
            Self::Compact { .. } => {
                "the connection begins with another version than Thrift's 0x8001, that of TCompactProtocol"
            }
            Self::Json { .. } => "the connection begins like Thrift's TJSONProtocol",
            Self::Header => "the connection begins like Thrift's THeaderTransport",
            Self::Text => "the connection begins with text: as the first message's length it is out of range",
        }
    }

    /// What to do about it, for who spoke so to a port.
    pub(crate) const fn hint(self) -> &'static str {
        match self {
            Self::Http => "this port speaks Thrift's TBinaryProtocol, HTTP is for the host's metrics port",
            Self::Tls | Self::TlsAlert => {
                "this port is not encrypted: connect to it without TLS, or encrypt it with tls_cert and tls_ports"
            }
            Self::Proxy => "turn the proxy's PROXY protocol off for this port",
            Self::Compact { .. } | Self::Json { .. } | Self::Header | Self::Text => HINT_THRIFT,
        }
    }
}

/// What a port understands.
pub(crate) const HINT_THRIFT: &str = "this port speaks Thrift's TBinaryProtocol, framed or unframed";

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES_MAX: usize = 16 << 20;

    #[test]
    fn protocols_are_known_by_how_they_begin() {
        for (bytes, expected) in [
            (&b"GET / HTTP/1.1\r\n"[..], Foreign::Http),
            (b"HTTP/1.1 400 Bad Request\r\n", Foreign::Http),
            (b"PRI * HTTP/2.0\r\n", Foreign::Http),
            (b"\x16\x03\x01\x02\0", Foreign::Tls),
            (b"\x15\x03\x03\0\x02\x02\x46", Foreign::TlsAlert),
            (b"PROXY TCP4 10.0.0.1", Foreign::Proxy),
            (b"\r\n\r\n\0\r\nQUIT\n", Foreign::Proxy),
            (b"\x82\x21\x01\x04ping", Foreign::Compact { framed: false }),
            (b"\0\0\0\x08\x82\x21\x01", Foreign::Compact { framed: true }),
            (b"\0\0\0\x20\x0f\xff\0\0", Foreign::Header),
            (b"[1,\"send_batch\",1,1,{}]", Foreign::Json { framed: false }),
            (b"\0\0\0\x17[1,\"send_batch\"", Foreign::Json { framed: true }),
            (b"SSH-2.0-OpenSSH_9.2\r\n", Foreign::Text),
            (b"*1\r\n$4\r\nPING\r\n", Foreign::Text),
            (b"{\"docid\":\"d\"}\n", Foreign::Text),
        ] {
            assert_eq!(Foreign::recognize(bytes, BYTES_MAX), Some(expected), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn thrift_and_noise_are_not_taken_for_something_else() {
        for bytes in [
            &b"\x80\x01\0\x01\0\0\0\x01m\0\0\0\x01\0"[..],
            b"\0\0\0\x01m\x01\0\0\0\x01\0",
            b"\0\0\0\x0e\x80\x01\0\x01\0\0\0\x01m\0\0\0\x01\0",
            b"\0\0\0\x0b\0\0\0\x01m\x01\0\0\0\x01\0",
            b"\xff\xff\xff\xff\xff",
            b"GET",
            b"\0\0\0\x08",
            b"",
        ] {
            assert_eq!(Foreign::recognize(bytes, BYTES_MAX), None, "{}", bytes.escape_ascii());
        }
    }
}
