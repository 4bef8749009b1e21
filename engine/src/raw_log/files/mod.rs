//! The life of a raw file: [`prepare`] makes it ready ahead of need, [`archive`] moves it away when it is dealt, and
//! [`spare`] keeps it to be used again.

pub(crate) mod archive;
pub(crate) mod prepare;
pub(crate) mod spare;
