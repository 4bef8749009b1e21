//! The shard over a model of the drive that completes in any order, writes short and fails.

mod any_order;
mod files;
mod limits;
mod refusals;
mod resting;
mod syncs;
mod world;
