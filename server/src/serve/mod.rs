//! A running host: its threads, what each does, and the order in which they start and end.
//!
//! ```text
//! main        start and stop, waits for signals and failures
//! shard-N     port 15000 and one stream of the raw log, each on a processor of its own
//! acceptor    hands new connections of port 15000 to the shards
//! raw-log     puts the raw log in order, then keeps segments ready for the shards
//! background  deals, sorts, optimizes, cleans
//! indexes     ports 15100 and 16000
//! space       watches the drives
//! watchdog    sees that all of these turn, and reports that to the service manager
//! lag         looks what waits to be dealt, in a process that deals nothing itself
//! metrics     port 15200
//! signals     SIGTERM, SIGINT, and those that have no effect
//! log         writes the log to standard error
//! ```

mod acceptor;
mod addresses;
mod appends;
mod background;
mod belonging;
mod boot;
mod certificate;
mod control_group;
mod elsewhere;
mod events;
mod handles;
mod index_ports;
mod lag;
mod listeners;
mod machine;
mod nameless;
mod not_accepted;
mod panics;
mod placement;
mod raw_log;
mod run;
mod segments;
mod service_manager;
mod shards;
mod shortage;
mod signals;
mod space;
mod stopping;
mod thread;
mod tree;

pub(crate) use addresses::Addresses;
pub(crate) use machine::check_machine;
pub(crate) use nameless::nameless_indexes;
pub(crate) use raw_log::put_in_order;
pub(crate) use run::run;
pub(crate) use tree::Tree;
