use clap::ArgMatches;

use crate::cli::HostArgs;
use crate::config::{Layers, Settings, to_toml};
use crate::output::say;
use crate::stderr::remark;

/// Prints what a host would run with.
///
/// # Errors
/// All that is wrong with it.
pub(crate) fn run(args: &HostArgs, matches: &ArgMatches) -> anyhow::Result<()> {
    let layers = Layers::resolve(matches, args.config.as_deref())?;
    let settings = Settings::validate(&layers)?;
    say!("{}", to_toml(&layers).trim_end());
    for warning in settings.warnings.iter().chain(&layers.unknown_variables(std::env::vars_os())) {
        remark!("warning: {warning}");
    }
    Ok(())
}
