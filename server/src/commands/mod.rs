//! What each command does.

pub(crate) mod check_config;
pub(crate) mod completions;
pub(crate) mod read;
pub(crate) mod write;
