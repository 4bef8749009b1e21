//! Background work: dealing, sorting, optimizing, cleaning.

pub mod dealer;
pub mod governor;
pub mod queue;
