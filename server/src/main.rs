//! The `logtank` program: a storage host for write-ahead logs of search indexes, and the tools around it.
#![deny(unsafe_code)]

mod cli;
mod commands;
mod config;
mod client;
mod logging;
mod metrics;
mod record_json;

use std::process::ExitCode;

use clap::FromArgMatches;

use cli::{Cli, Command};

fn main() -> ExitCode {
    let matches = cli::command().get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let (_, matches) = matches.subcommand().expect("clap requires a command");
    let outcome = match &cli.command {
        Command::CheckConfig(args) => commands::check_config::run(args, matches),
        Command::Completions { shell } => {
            commands::completions::run(*shell);
            Ok(())
        }
        Command::Write(args) => commands::write::run(args),
        Command::Read(args) => commands::read::run(args),
        _ => Err(anyhow::anyhow!("not there yet")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("logtank: {error:#}");
            ExitCode::FAILURE
        }
    }
}
