//! Background work: dealing, sorting, optimizing, cleaning.

pub mod dealer;
pub mod queue;
