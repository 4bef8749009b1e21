//! The status page: what a person wants to see at a glance, from what is counted anyway.

mod history;
mod http;
mod slowest;
mod snapshot;
mod survey;

pub(crate) use http::Page;
pub(crate) use slowest::Slowest;
pub(crate) use snapshot::Sources;
