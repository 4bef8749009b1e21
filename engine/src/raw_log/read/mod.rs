//! Reads: [`scan`] streams one segment's frames, [`live`] says what is in `raw/live/` at one moment, and [`merged`]
//! joins an epoch's segments into one order.

mod blocks;
pub(crate) mod frame;
mod framed;
pub(crate) mod gaps;
mod legacy;
pub(crate) mod live;
pub(crate) mod lost;
pub(crate) mod merged;
pub(crate) mod missing;
pub(crate) mod scan;
pub(crate) mod tails;
mod window;
