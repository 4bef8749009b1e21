//! The arguments that methods of `LogReader` and `LogManager` have.

use super::error::CallError;
use crate::cursor::Cursor;
use crate::decode_error::DecodeError;
use crate::kind::Kind;
use crate::page::LogPageToken;

/// Whatever of it was sent; no two methods have arguments of equal number and type with different meanings.
#[derive(Debug, Default)]
pub(super) struct Arguments<'a> {
    pub(super) index_code: Option<&'a [u8]>,
    pub(super) token: Option<LogPageToken>,
    pub(super) priority: Option<i32>,
    pub(super) score: Option<f64>,
}

impl<'a> Arguments<'a> {
    pub(super) fn parse(body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut cursor = Cursor::new(body);
        let mut arguments = Self::default();
        while let Some(field) = cursor.field()? {
            match field {
                (Kind::String, 1) => arguments.index_code = Some(cursor.string()?),
                (Kind::Struct, 2) => arguments.token = Some(LogPageToken::read(&mut cursor)?),
                (Kind::I32, 2) => arguments.priority = Some(cursor.i32()?),
                (Kind::Double, 3) => arguments.score = Some(cursor.double()?),
                (kind, _) => cursor.skip(kind)?,
            }
        }
        Ok(arguments)
    }

    pub(super) fn index_code(&self, method: &'static str) -> Result<&'a [u8], CallError> {
        self.index_code.ok_or(CallError::MissingArgument { method, argument: "1: string index_code" })
    }
}
