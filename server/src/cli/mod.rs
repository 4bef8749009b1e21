//! The command line as typed; what it means is checked in [`crate::config`] and in the commands.

mod client;
mod defaults;
mod files;
mod settings;
mod tune;
mod words;

use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueHint};

pub(crate) use client::{ReadArgs, StatusArgs, TlsArgs, WriteArgs};
pub(crate) use files::{DrainArgs, InspectArgs, RepairArgs, VerifyArgs};
pub(crate) use settings::SettingsArgs;
pub(crate) use tune::TuneArgs;

/// A storage host for write-ahead logs of search indexes.
#[derive(Debug, Parser)]
#[command(name = "logtank", version, propagate_version = true, max_term_width = 110)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a host.
    Serve(ServeArgs),
    /// Show a host under load, killed, restarted and recovered from, in a minute and a temporary folder.
    Demo(DemoArgs),
    /// Send records, one JSON object a line of standard input, to a host.
    Write(WriteArgs),
    /// Recover an index: print its records as JSON, one a line, in the order served.
    Read(ReadArgs),
    /// Ask a running host how it is.
    Status(StatusArgs),
    /// Show what a file of the data directory holds.
    Inspect(InspectArgs),
    /// Check every byte of a stopped host's data; exit 0 only if all of them are right.
    Verify(VerifyArgs),
    /// Salvage what is whole of a stopped host's damaged segments, keep the damaged files, and say what is gone.
    Repair(RepairArgs),
    /// Deal everything that a stopped host has received, and make the data directory one that the original can take over.
    Drain(DrainArgs),
    /// Look at this machine, and measure the drive, for a data directory; say what should be otherwise, or make it so.
    Tune(TuneArgs),
    /// Print the settings `serve` would run with, and where each comes from; exit 1 if they are wrong.
    CheckConfig(HostArgs),
    /// Print a completion script for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

/// What a host is run with: flags, over `LOGTANK_…` variables, over the file, over what `tune` found, over defaults.
#[derive(Debug, Args)]
pub(crate) struct HostArgs {
    /// A TOML file of settings, named as the flags with `_` for `-`.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(crate) host: HostArgs,
    /// Print the addresses of the ports to standard output when they are taken, as one line of JSON, before the start
    /// goes on: for programs that let the system choose the ports (port 0). Then ask /readyz of the metrics port.
    #[arg(long)]
    pub(crate) print_addresses: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Use this folder, which must be empty or absent, and leave it there at the end.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) data: Option<PathBuf>,
    /// How long to write before and after the kill, together.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = humantime::parse_duration)]
    pub(crate) load_for: std::time::Duration,
}

/// The declaration, with a `LOGTANK_…` variable for each setting of a host.
pub(crate) fn command() -> clap::Command {
    let with_variables = |host: clap::Command| {
        host.mut_args(|arg| {
            // Of one run, and no setting.
            if arg.get_id() == "print_addresses" {
                return arg;
            }
            let variable = format!("{VARIABLE_PREFIX}{}", arg.get_id().as_str().to_uppercase());
            arg.env(variable).hide_env(true)
        })
        .after_help(
            "Each setting can also be given by a variable, LOGTANK_ and its name in capitals with _ for -, or in the \
             file, in lower case with _ for -. Flags win over variables, variables over the file.",
        )
    };
    Cli::command().mut_subcommand("serve", with_variables).mut_subcommand("check-config", with_variables)
}

/// What the names of a host's environment variables begin with.
pub(crate) const VARIABLE_PREFIX: &str = "LOGTANK_";

#[cfg(test)]
mod tests {
    #[test]
    fn the_declaration_is_consistent() {
        super::command().debug_assert();
    }
}
