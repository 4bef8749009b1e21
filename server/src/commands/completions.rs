/// Prints the completion script for `shell`. A reader that has seen enough, as `head`, is no error.
pub(crate) fn run(shell: clap_complete::Shell) {
    // The generator panics where it can't write, so it writes to memory.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut crate::cli::command(), "logtank", &mut script);
    crate::output::text(&script);
}
