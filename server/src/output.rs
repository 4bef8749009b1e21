//! Standard output of the commands.

use std::fmt;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::plain::plain;
use crate::stderr::remark;

static FAILED: AtomicBool = AtomicBool::new(false);

/// Prints a line without what a terminal would obey. Not as `println!`, which would end the command midway when the reader has seen enough, as `head` has.
macro_rules! say {
    ($($what:tt)*) => {
        $crate::output::line(format_args!($($what)*))
    };
}
pub(crate) use say;

pub(crate) fn line(what: fmt::Arguments<'_>) {
    text(format!("{}\n", plain(&what.to_string(), &['\n', '\t'])).as_bytes());
}

/// Prints something of several lines.
pub(crate) fn text(what: &[u8]) {
    let mut out = io::stdout();
    if let Err(error) = out.write_all(what).and_then(|()| out.flush())
        && error.kind() != io::ErrorKind::BrokenPipe
        // The work itself continues; that its output is missing is said once, and by the exit code.
        && !FAILED.swap(true, Ordering::Relaxed)
    {
        remark!("logtank: the output can't be written: {error}");
    }
}

/// Whether a part of the output is missing.
pub(crate) fn has_failed() -> bool {
    FAILED.load(Ordering::Relaxed)
}
