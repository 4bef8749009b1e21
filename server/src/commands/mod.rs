//! What each command does.

pub(crate) mod check_config;
pub(crate) mod completions;
pub(crate) mod demo;
pub(crate) mod drain;
pub(crate) mod inspect;
pub(crate) mod read;
pub(crate) mod repair;
pub(crate) mod serve;
pub(crate) mod status;
pub(crate) mod tune;
pub(crate) mod verify;
pub(crate) mod write;
