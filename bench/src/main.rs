//! Load generator and measurements for LogTank hosts.
#![deny(unsafe_code)]

mod addresses;
mod compare;
mod deal;
mod echo;
mod http;
mod load;
mod machine;
mod output;
mod peers;
mod protocol;
mod recover;
mod report;
mod ring;
mod shard;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Loads and measures LogTank hosts.
#[derive(Parser)]
#[command(version, about, max_term_width = 110)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Sends batches to a host and measures rate and latency.
    Load(load::Arguments),
    /// Recovers an index and measures how fast its pages come.
    Recover(recover::Arguments),
    /// Measures how fast a host deals records of many indexes.
    Deal(deal::Arguments),
    /// Runs the host and what users would pick instead through the same work, and compares.
    Compare(compare::Arguments),
    /// Shows results of `compare`: one as tables, or two side by side.
    Report(report::Arguments),
    /// Measures a shard's own loop against a bare echo on the same ring.
    Ring(ring::Arguments),
    /// A server that only answers, as a limit to compare with.
    #[command(hide = true)]
    Echo(echo::Arguments),
    /// A shard without a host, to measure its loop.
    #[command(hide = true)]
    Shard(shard::Arguments),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Load(arguments) => load::run(&arguments),
        Command::Recover(arguments) => recover::run(&arguments),
        Command::Deal(arguments) => deal::run(&arguments),
        Command::Compare(arguments) => compare::run(&arguments),
        Command::Report(arguments) => report::run(&arguments),
        Command::Ring(arguments) => ring::run(&arguments),
        Command::Shard(arguments) => shard::run(&arguments),
        Command::Echo(arguments) => echo::run(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("logtank-bench: {error}");
            ExitCode::FAILURE
        }
    }
}
