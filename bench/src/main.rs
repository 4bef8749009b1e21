//! Load generator and measurements for LogTank hosts.
#![deny(unsafe_code)]

fn main() {}
