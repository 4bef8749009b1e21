//! Background work: dealing, sorting, optimizing, cleaning.

pub mod governor;
