//! What a host decides while it runs, apart from its threads: the simulation decides the same.

pub mod against;
pub mod ballast;
mod names;
pub mod port;
pub mod raw_room;
pub mod segments;
mod shortage;
mod starving;
