//! Log lines, as text for people or as JSON for machines.

use std::io::IsTerminal;

use tracing::level_filters::LevelFilter;

use crate::config::LogFormat;
use crate::stderr::{self, Stderr};

/// Starts logging. A second call has no effect.
pub(crate) fn start(format: LogFormat, level: tracing::Level) {
    stderr::start_thread();
    let colored = std::io::stderr().is_terminal();
    let builder = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::from_level(level))
        .with_writer(move || Stderr { colored })
        .with_ansi(colored)
        .with_target(false);
    // An error means that logging has been started before.
    let _ = match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
}
