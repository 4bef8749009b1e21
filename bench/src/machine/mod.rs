//! The machine that is measured on: what it is, how busy its processors are, whether its drive has come to rest.

mod facts;
mod placement;
mod processor_time;
mod settle;
mod stolen;
mod timers;

pub(crate) use facts::Facts;
pub(crate) use placement::Placement;
pub(crate) use processor_time::{Usage, of_process, of_this_thread};
pub(crate) use settle::{free_bytes, settle};
pub(crate) use stolen::{STOLEN_MOST, Ticks, await_processors};
pub(crate) use timers::wake_in_time;
