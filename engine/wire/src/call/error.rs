//! Why a call can't be served.

use crate::batch::BatchError;
use crate::decode_error::DecodeError;
use crate::reply::ExceptionKind;

/// Longest part of a received name that an error repeats, in bytes.
const NAME_SHOWN_BYTES: usize = 64;

/// Why a call can't be served. The reply is an exception with this as its text; the connection stays usable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The service has no such method.
    #[error("Invalid method name: '{name}'; {hint}")]
    UnknownMethod {
        /// The name received, made printable and cut to 64 bytes.
        name: String,
        /// What there is.
        hint: &'static str,
    },
    /// An argument is missing or of another type.
    #[error("{method} needs its argument {argument}")]
    MissingArgument {
        /// The method.
        method: &'static str,
        /// Number, name and type of the argument.
        argument: &'static str,
    },
    /// No batch.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// The bytes of the arguments are no struct.
    #[error("the arguments can't be read: {0}")]
    Malformed(#[from] DecodeError),
}

impl CallError {
    /// The type of exception to answer with.
    #[must_use]
    pub const fn exception_kind(&self) -> ExceptionKind {
        match self {
            Self::UnknownMethod { .. } => ExceptionKind::UnknownMethod,
            Self::Batch(BatchError::Malformed(_)) | Self::Malformed(_) => ExceptionKind::ProtocolError,
            Self::MissingArgument { .. } => ExceptionKind::InternalError,
            Self::Batch(BatchError::NoBatch | BatchError::NoRecords | BatchError::NotRecords(_)) => {
                ExceptionKind::InternalError
            }
        }
    }

    #[cold]
    pub(super) fn unknown_method(name: &[u8], hint: &'static str) -> Self {
        let shown = &name[..name.len().min(NAME_SHOWN_BYTES)];
        Self::UnknownMethod { name: shown.escape_ascii().to_string(), hint }
    }
}
