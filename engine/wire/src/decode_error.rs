//! Why bytes can't be read as what they should be.

/// Why bytes can't be read as what they should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end before the value does.
    #[error("the bytes end in the middle of a value")]
    Incomplete,
    /// The bytes can't be this value, whatever follows.
    #[error("at byte {offset}: {what}")]
    Malformed {
        /// Where, from the beginning of what was being decoded.
        offset: usize,
        /// What is wrong.
        what: &'static str,
    },
}
