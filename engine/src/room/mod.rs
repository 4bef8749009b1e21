//! How much room a drive keeps, who stops first when it gets scarce, and what is promised of it.
//!
//! Nothing that this program does by itself takes of the reserve. Whoever wants room asks at that moment, with the room as it
//! is then: [`gate`] answers for raw segments and for batches, [`reserve`] for dealing, sorting and optimizing. What was
//! received and is not dealt is promised to dealing ([`ledger`]), and no one else gets it, so dealing never waits for what
//! only dealing can free. What is given up below twice the reserve goes back to the filesystem. With a reserve of zero the
//! drive itself says when it is full.

pub(crate) mod gate;
pub(crate) mod ledger;
pub(crate) mod reserve;

pub use ledger::{Ledger, to_deal};
pub use reserve::files_min;
