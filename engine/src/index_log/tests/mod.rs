//! Tests of sorting, optimizing and reading an index as a whole, against a naive model.

mod anew;
mod chains;
mod crash;
mod damage;
mod golden;
mod history;
mod model;
mod race;
mod repair;
mod tree;
