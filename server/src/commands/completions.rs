use std::io::{self, Write};

/// Prints the completion script for `shell`. A reader that has seen enough, as `head`, is no error.
pub(crate) fn run(shell: clap_complete::Shell) {
    // The generator panics where it can't write, so it writes to memory.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut crate::cli::command(), "logtank", &mut script);
    if let Err(error) = io::stdout().write_all(&script)
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        eprintln!("logtank: the script can't be written: {error}");
    }
}
