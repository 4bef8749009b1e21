//! LogTank: a storage host for write-ahead logs of search indexes.
#![deny(unsafe_code)]

fn main() {}
