//! A client of a host, for the commands that talk to one: one connection, one call at a time.

mod connection;
mod http;
mod tls;

pub(crate) use connection::{CallError, Connection};
pub(crate) use http::get;
pub(crate) use tls::Encryption;
