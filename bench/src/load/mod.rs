//! `logtank-bench load`: closed loop, or open loop at a set rate.

mod arguments;
mod connection;
mod report;
mod request;
mod run;

pub(crate) use arguments::Arguments;
pub(crate) use run::run;
