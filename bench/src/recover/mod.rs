//! `logtank-bench recover`: reads an index as an engine that recovers does.

mod command;
mod manager;
mod reader;

pub(crate) use command::{Arguments, recover, run};
pub(crate) use manager::Manager;
pub(crate) use reader::Reader;
