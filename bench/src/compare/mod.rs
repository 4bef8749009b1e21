//! `logtank-bench compare`: the host and its peers, the same work for each, in interleaved rounds.
//!
//! A workload is a file here and a value: what adds to the [`Results`], and what judges them when all are over. The [`catalog`]
//! has all.

mod arguments;
mod catalog;
mod command;
mod copy;
mod goals;
mod isolation;
mod loop_device;
mod results;
mod runner;
mod sync_marks;
mod workload;
mod workload_a;
mod workload_b;
mod workload_c;
mod workload_d;
mod workload_e;
mod workload_f;
mod workload_g;
mod workload_h;

pub(crate) use arguments::Arguments;
pub(crate) use catalog::judge;
pub(crate) use command::run;
pub(crate) use results::{CLOSED, Cell, Goal, Results, Spread, Which, open};
pub(crate) use runner::observed;
pub(crate) use workload_a::{HALF_OF_ECHO, TIMELINE};
pub(crate) use workload_h::NAME as ISOLATION;
