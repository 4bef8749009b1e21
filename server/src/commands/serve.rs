use std::process::ExitCode;

use clap::ArgMatches;

use crate::cli::HostArgs;
use crate::config::{Layers, Settings};
use crate::{logging, serve};

/// Runs a host.
///
/// # Errors
/// What is wrong with its settings, or why it can't start.
pub(crate) fn run(args: &HostArgs, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let layers = Layers::resolve(matches, args.config.as_deref())?;
    let settings = Settings::validate(&layers)?;
    logging::start(settings.log_format, settings.log_level);
    for warning in settings.warnings.iter().chain(&layers.unknown_variables(std::env::vars_os())) {
        tracing::warn!("{warning}");
    }
    // From here on everything is a line of the log, also the last one.
    Ok(serve::run(&settings).unwrap_or_else(|error| {
        tracing::error!("the host can't start: {error:#}");
        ExitCode::FAILURE
    }))
}
