//! The life of a raw file: [`prepare`] makes it ready ahead of need, [`archive`] moves it away when it is dealt, and
//! [`spare`] keeps it to be used again.

pub mod archive;
pub mod prepare;
pub mod spare;
