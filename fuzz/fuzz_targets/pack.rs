//! See `logtank_fuzz_targets`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| logtank_fuzz_targets::run("pack", data));
