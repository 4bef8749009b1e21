use std::process::ExitCode;

use clap::ArgMatches;

use crate::causes::causes;
use crate::cli::ServeArgs;
use crate::config::{Layers, Settings};
use crate::output::say;
use crate::{exit, logging, serve};

/// Runs a host.
///
/// # Errors
/// What is wrong with its settings, or why it can't start.
pub(crate) fn run(args: &ServeArgs, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let layers = Layers::resolve(matches, args.host.config.as_deref())?;
    let settings = Settings::validate(&layers)?;
    logging::start(settings.log_format, settings.log_level);
    for warning in settings.warnings.iter().chain(&layers.unknown_variables(std::env::vars_os())) {
        tracing::warn!("{warning}");
    }
    #[cfg(feature = "leave-out")]
    leave_out()?;
    // From here on everything is a line of the log, also the last one.
    let announce = |addresses: &serve::Addresses| {
        if args.print_addresses {
            say!("{}", serde_json::to_string(addresses).expect("addresses are texts"));
        }
    };
    Ok(serve::run(&settings, announce).unwrap_or_else(|error| {
        tracing::error!("the host can't start: {}", causes(&error));
        exit::code(&error)
    }))
}

/// Leaves out what the variable LEAVE_OUT names.
#[cfg(feature = "leave-out")]
fn leave_out() -> anyhow::Result<()> {
    use logtank_engine::left_out::Part;
    tracing::warn!("this build can leave out parts of the host: it is for measuring, not for data");
    let names = std::env::var("LEAVE_OUT").unwrap_or_default();
    for name in names.split(',').filter(|name| !name.is_empty()) {
        let Some((part, _)) = Part::ALL.iter().find(|(_, known)| *known == name) else {
            anyhow::bail!(
                "LEAVE_OUT: `{name}` can't be left out; {:?} can",
                Part::ALL.map(|(_, known)| known)
            );
        };
        tracing::warn!("running without {name}");
        part.leave_out();
    }
    Ok(())
}
