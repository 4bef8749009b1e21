/// Prints the completion script for `shell`.
pub(crate) fn run(shell: clap_complete::Shell) {
    clap_complete::generate(shell, &mut crate::cli::command(), "logtank", &mut std::io::stdout());
}
