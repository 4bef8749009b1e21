//! Background work: dealing, sorting, optimizing, cleaning.

pub mod optimizer;
pub mod sorter;
