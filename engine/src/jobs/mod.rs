//! Background work: dealing, sorting, optimizing, cleaning.

pub mod governor;
pub mod dealer;
pub mod queue;
