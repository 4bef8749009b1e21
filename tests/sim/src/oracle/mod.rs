//! Knows the answer: what each index must hold, may hold and must not hold, whatever happened to the host.
//!
//! Each client owns its documents and sends one batch at a time that touches them. A batch carries, for each index
//! that it is for, one more document that only it writes: its *marker*. So what a recovery read returns tells by
//! itself which batches are in it; the documents must then be exactly what those batches, in the order in which
//! they were sent, make of an empty index. What remains is to say which markers must be there, and which not.

mod document;
mod facts;
mod judge;
mod known;
mod read;
mod reports;
mod restored;

pub use document::{Document, Record, State};
pub use facts::{Attempt, BatchId, Crash, DeletionId, Promise};
pub use known::Oracle;
pub use read::Begun;
pub use restored::Restored;
