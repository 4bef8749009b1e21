//! Splits the raw log by index.

mod split;
