//! A client of a host, for the commands that talk to one: one connection, one call at a time.

pub(crate) mod address;
mod connection;
mod error;
mod http;
mod patience;
mod tls;

pub(crate) use connection::Connection;
pub(crate) use error::CallError;
pub(crate) use http::get;
pub(crate) use patience::connect;
pub(crate) use tls::Encryption;
