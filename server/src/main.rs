//! The `logtank` program: a storage host for write-ahead logs of search indexes, and the tools around it.
#![deny(unsafe_code)]
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod causes;
mod cli;
mod client;
mod commands;
mod config;
mod exit;
mod logging;
mod metrics;
mod output;
mod plain;
mod port_places;
mod record_json;
mod serve;
mod stderr;

use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;

use clap::FromArgMatches;

use causes::causes;
use cli::{Cli, Command};
use stderr::remark;

const _: () = assert!(
    !logtank_engine::mutant::COMPILED_IN || cfg!(debug_assertions),
    "a release of the host holds no deliberate bugs: build the simulation with --features mutants by itself"
);

fn main() -> ExitCode {
    outlive_file_size_limit();
    let parsed = cli::command()
        .try_get_matches()
        .and_then(|matches| Cli::from_arg_matches(&matches).map(|cli| (cli, matches)));
    let (cli, matches) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => return explain(&error),
    };
    let (_, matches) = matches.subcommand().expect("clap requires a command");
    let done = |()| ExitCode::SUCCESS;
    let outcome = match &cli.command {
        Command::Serve(args) => commands::serve::run(args, matches),
        Command::Demo(args) => commands::demo::run(args),
        Command::Write(args) => commands::write::run(args).map(done),
        Command::Read(args) => commands::read::run(args).map(done),
        Command::Status(args) => commands::status::run(args),
        Command::Inspect(args) => commands::inspect::run(args).map(done),
        Command::Verify(args) => commands::verify::run(args),
        Command::Repair(args) => commands::repair::run(args),
        Command::Drain(args) => commands::drain::run(args).map(done),
        Command::Tune(args) => Ok(commands::tune::run(args)),
        Command::CheckConfig(args) => commands::check_config::run(args, matches).map(done),
        Command::Completions { shell } => {
            commands::completions::run(*shell);
            Ok(ExitCode::SUCCESS)
        }
    };
    let code = outcome.unwrap_or_else(|error| {
        remark!("logtank: {}", causes(&error));
        exit::code(&error)
    });
    stderr::finish();
    // Another exit code than success says more.
    if code == ExitCode::SUCCESS && output::has_failed() { ExitCode::FAILURE } else { code }
}

/// Makes a write beyond the limit of file sizes an error of this write; by default it ends the process.
fn outlive_file_size_limit() {
    // Nobody looks at the flag. Where no handler can be had, the default stays.
    let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::default());
}

/// Prints the help or the version that was asked for, or what is wrong with the command line.
fn explain(error: &clap::Error) -> ExitCode {
    let text = error.render();
    if error.use_stderr() {
        let _ = error.print();
    } else if std::io::stdout().is_terminal() {
        output::text(text.ansi().to_string().as_bytes());
    } else {
        output::text(text.to_string().as_bytes());
    }
    let code = u8::try_from(error.exit_code()).unwrap_or(1);
    ExitCode::from(if output::has_failed() { code.max(1) } else { code })
}
