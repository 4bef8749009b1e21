//! Background work: dealing, sorting, optimizing, cleaning.
