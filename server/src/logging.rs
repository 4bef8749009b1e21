//! Log lines, as text for people or as JSON for machines.

use std::fmt;
use std::io::IsTerminal;

use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

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
    let to_journal = is_journal();
    // An error means that logging has been started before.
    let _ = match format {
        LogFormat::Text => builder.map_event_format(|inner| Prioritized { inner, to_journal }).try_init(),
        LogFormat::Json => {
            let builder = builder.json().flatten_event(true);
            builder.map_event_format(|inner| Prioritized { inner, to_journal }).try_init()
        }
    };
}

/// Whether standard error leads to systemd's journal, as it says by device and inode.
fn is_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    rustix::fs::fstat(std::io::stderr())
        .is_ok_and(|stat| stream == format!("{}:{}", stat.st_dev, stat.st_ino))
}

/// In the journal a line begins with its priority, which is taken off there: `journalctl -p warning` finds by it.
struct Prioritized<F> {
    inner: F,
    to_journal: bool,
}

impl<S, N, F> FormatEvent<S, N> for Prioritized<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        if self.to_journal {
            writer.write_str(priority(*event.metadata().level()))?;
        }
        self.inner.format_event(context, writer, event)
    }
}

/// As syslog(3) numbers them.
const fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "<3>",
        Level::WARN => "<4>",
        Level::INFO => "<6>",
        _ => "<7>",
    }
}
