//! What a host decides while it runs, apart from its threads: the simulation decides the same.

pub mod raw_room;
