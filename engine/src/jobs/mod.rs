//! Background work: dealing, sorting, optimizing, cleaning.

pub mod queue;
