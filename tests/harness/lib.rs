//! What the tests of the real process have in common: the process, a client, a load with a model that knows the
//! right answer.
#![forbid(unsafe_code)]

pub mod apply;
pub mod client;
pub mod history;
pub mod host;
pub mod http;
pub mod load;
pub mod metrics;
pub mod needs;
pub mod random;
pub mod report;
pub mod thrift;
pub mod wait;
