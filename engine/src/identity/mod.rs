//! One data directory and one raw/ belong together: both carry the same identity, in a file of that name.
//!
//! A drive that is not mounted, and a folder that was forgotten or misspelt, look like an empty folder. A host that took
//! one for its own would serve half of its data as all of it, and deal what is not its own. So a start looks first
//! ([`look`]), judges what it found ([`Found::judge`]), and only then writes ([`settle`]).

mod ahead;
mod found;
mod mark;
mod refusal;
mod settle;
#[cfg(test)]
mod tests;

pub use found::{Folder, Found, Verdict, look};
pub use mark::{Identity, Mark, Written};
pub use refusal::Refusal;
pub use settle::settle;
