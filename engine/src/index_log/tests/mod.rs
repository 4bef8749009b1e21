//! Tests of sorting, optimizing and reading an index as a whole, against a naive model.

mod crash;
mod fault_disk;
mod golden;
mod history;
mod model;
mod tree;
