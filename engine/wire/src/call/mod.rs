//! What a call asks for: methods and their arguments, service by service.

mod arguments;
mod error;
pub mod method;
mod service;

pub use error::CallError;
pub use service::{ManagerCall, ReaderCall, WriterCall};
