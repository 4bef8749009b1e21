//! The `logtank` program: a storage host for write-ahead logs of search indexes, and the tools around it.
#![deny(unsafe_code)]

mod cli;
mod client;
mod commands;
mod config;
mod logging;
mod metrics;
mod output;
mod record_json;
mod serve;

use std::process::ExitCode;

use clap::FromArgMatches;

use cli::{Cli, Command};

const _: () = assert!(
    !logtank_engine::mutant::COMPILED_IN || cfg!(debug_assertions),
    "a release of the host holds no deliberate bugs: build the simulation with --features mutants by itself"
);

fn main() -> ExitCode {
    let matches = cli::command().get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let (_, matches) = matches.subcommand().expect("clap requires a command");
    let done = |()| ExitCode::SUCCESS;
    let outcome = match &cli.command {
        Command::Serve(args) => commands::serve::run(args, matches),
        Command::Demo(args) => commands::demo::run(args),
        Command::Write(args) => commands::write::run(args).map(done),
        Command::Read(args) => commands::read::run(args).map(done),
        Command::Status(args) => commands::status::run(args).map(done),
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
    outcome.unwrap_or_else(|error| {
        eprintln!("logtank: {error:#}");
        ExitCode::FAILURE
    })
}
