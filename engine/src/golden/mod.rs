//! Files of every version of this host's own formats, good and damaged: tests/golden/own.

mod files;
mod pack;
mod raw;
mod shard;
mod sidecar;
mod small;
mod token;
