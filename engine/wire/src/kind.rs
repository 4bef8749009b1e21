//! The types of Thrift values, as `TBinaryProtocol` numbers them.

/// Type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// One byte; true if it is 1.
    Bool = 2,
    /// One byte.
    Byte = 3,
    /// Eight bytes, IEEE 754.
    Double = 4,
    /// Two bytes.
    I16 = 6,
    /// Four bytes; also enums.
    I32 = 8,
    /// Eight bytes.
    I64 = 10,
    /// An i32 length, then that many bytes; also binary.
    String = 11,
    /// Fields, each with type and id in front, then a zero byte.
    Struct = 12,
    /// Types of key and value, an i32 count, then the entries.
    Map = 13,
    /// Type of the elements, an i32 count, then the elements.
    Set = 14,
    /// Like a set.
    List = 15,
}

/// Ends a struct, where a field's type would be.
pub(crate) const STOP: u8 = 0;

impl Kind {
    /// The type of this number, if it is one.
    #[inline]
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            2 => Self::Bool,
            3 => Self::Byte,
            4 => Self::Double,
            6 => Self::I16,
            8 => Self::I32,
            10 => Self::I64,
            11 => Self::String,
            12 => Self::Struct,
            13 => Self::Map,
            14 => Self::Set,
            15 => Self::List,
            _ => return None,
        })
    }

    /// Its number.
    #[inline]
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// Whether all values of this type have the same length.
    #[inline]
    pub(crate) const fn is_fixed(self) -> bool {
        match self {
            Self::Bool | Self::Byte | Self::I16 | Self::I32 | Self::I64 | Self::Double => true,
            Self::String | Self::Struct | Self::Map | Self::Set | Self::List => false,
        }
    }

    /// Bytes of the shortest value of this type.
    #[inline]
    pub(crate) const fn least_bytes(self) -> usize {
        match self {
            Self::Bool | Self::Byte | Self::Struct => 1,
            Self::I16 => 2,
            Self::I32 | Self::String => 4,
            Self::Set | Self::List => 5,
            Self::Map => 6,
            Self::Double | Self::I64 => 8,
        }
    }
}
