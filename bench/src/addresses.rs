//! Where a host's ports are unless it is told otherwise.

pub(crate) const WRITER: &str = "127.0.0.1:15000";
pub(crate) const READER: &str = "127.0.0.1:15100";
