//! Load generator and measurements for LogTank hosts.
#![deny(unsafe_code)]

mod load;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Loads and measures LogTank hosts.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Sends batches to a host and measures rate and latency.
    Load(load::Arguments),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Load(arguments) => load::run(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("logtank-bench: {error}");
            ExitCode::FAILURE
        }
    }
}
