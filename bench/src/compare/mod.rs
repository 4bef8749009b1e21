//! `logtank-bench compare`: the host and its peers, the same work for each, in interleaved rounds.
//!
//! A workload is a file here; each adds to the [`Results`], and [`goals`] judges them when all are over.

mod arguments;
mod command;
mod goals;
mod isolation;
mod loop_device;
mod results;
mod runner;
mod sync_marks;
mod workload_a;
mod workload_b;
mod workload_c;
mod workload_d;
mod workload_e;
mod workload_f;
mod workload_g;
mod workload_h;

pub(crate) use arguments::Arguments;
pub(crate) use command::run;
pub(crate) use results::{Cell, Goal, Results, Spread, Which};
pub(crate) use runner::{CLOSED, observed, open};
pub(crate) use workload_a::{HALF_OF_ECHO, TIMELINE};
pub(crate) use workload_h::NAME as ISOLATION;
