//! What a bug does to the host.

use std::backtrace::BacktraceStatus;

use crate::stderr::{self, remark};

/// A thread that met a bug must not leave the others running on what it left behind. What it says of itself is a line
/// of the log: nobody waits for whoever does not read it.
pub(super) fn abort() {
    std::panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        let backtrace = std::backtrace::Backtrace::capture();
        remark!("thread '{}' {panic}", thread.name().unwrap_or("without a name"));
        if backtrace.status() == BacktraceStatus::Captured {
            remark!("{backtrace}");
        }
        stderr::finish();
        std::process::abort();
    }));
}
