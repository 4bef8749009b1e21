//! Standard output of the commands.

use std::fmt;
use std::io::{self, Write};

/// Prints a line, as `println!`, which would end the command midway when the reader has seen enough, as `head` has.
macro_rules! say {
    ($($what:tt)*) => {
        $crate::output::line(format_args!($($what)*))
    };
}
pub(crate) use say;

pub(crate) fn line(what: fmt::Arguments<'_>) {
    match writeln!(io::stdout(), "{what}") {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        // The exit code stays that of the work itself.
        Err(error) => eprintln!("logtank: the output can't be written: {error}"),
    }
}
