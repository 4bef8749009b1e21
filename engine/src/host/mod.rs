//! What a host decides while it runs, apart from its threads: the simulation decides the same.

pub(crate) mod against;
pub(crate) mod ballast;
mod names;
pub(crate) mod port;
pub(crate) mod raw_room;
pub(crate) mod segments;
mod shortage;
mod starving;

pub use against::{Against, Cause};
pub use ballast::{Ballast, Todo};
pub use port::{NoSegment, Report, Seen, ShardPort};
pub use raw_room::Indexes;
pub use segments::{Keeper, Unkept};
