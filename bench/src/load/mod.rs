//! `logtank-bench load`: many connections on one thread, closed loop or open loop at a set rate.
//!
//! What is sent stands in [`shape`] and [`records`], when in [`pace`], how in an [`engine`]: the host's own kind of ring, or
//! epoll. [`session`] joins them; it is told what arrives and says what goes out.

mod arguments;
mod clients;
mod command;
mod engine;
mod epoll;
mod ledger;
mod live;
mod measure;
mod measured;
mod pace;
mod records;
mod session;
mod shape;
mod source;
mod uring;
mod verify;

pub(crate) use arguments::Arguments;
pub(crate) use command::run;
pub(crate) use engine::{Edge, Load, measure};
pub(crate) use live::Live;
pub(crate) use measured::{Measured, Slot};
pub(crate) use records::{Encoded, Generator};
pub(crate) use shape::Shape;
