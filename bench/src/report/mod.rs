//! Results for people: a summary, tables, a page with charts, two runs side by side, and the tables of PERFORMANCE.md.

mod charts;
mod command;
mod html;
mod isolation;
mod markdown;
mod performance;
mod side_by_side;
mod summary;

pub(crate) use command::{Arguments, run};
pub(crate) use html::html;
pub(crate) use markdown::markdown;
pub(crate) use summary::summary;
