//! A client of a host, for the commands that talk to one: one connection, one call at a time.

mod connection;
mod http;

pub(crate) use connection::{CallError, Connection};
pub(crate) use http::get;
