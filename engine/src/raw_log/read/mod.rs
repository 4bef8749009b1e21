//! Reads: [`scan`] streams one segment's frames, [`live`] says what is in `raw/live/` at one moment, and [`merged`]
//! joins an epoch's segments into one order.

mod blocks;
pub mod frame;
mod framed;
pub(crate) mod gaps;
mod legacy;
pub mod live;
pub mod lost;
pub mod merged;
pub mod missing;
pub mod scan;
pub mod tails;
mod window;
