//! Connections that could not be accepted: what is logged of them, and when it is worth trying again.

use std::io;
use std::time::{Duration, Instant};

use logtank_engine::error::is_shortage;

use super::listeners;

/// Between two log lines about connections that can't be taken.
const REPORT_EVERY: Duration = Duration::from_secs(10);
/// The kernel reports to nobody when descriptors come back.
const SHORTAGE_PAUSE: Duration = Duration::from_millis(50);

/// Of one port.
pub(super) struct NotAccepted {
    port: &'static str,
    /// When one was last logged.
    reported: Option<Instant>,
}

impl NotAccepted {
    pub(super) const fn new(port: &'static str) -> Self {
        Self { port, reported: None }
    }

    /// How long to wait before the next is accepted.
    ///
    /// # Errors
    /// If none ever can be.
    pub(super) fn pause(&mut self, error: &io::Error) -> anyhow::Result<Duration> {
        let port = self.port;
        if is_shortage(error) {
            if self.is_news() {
                tracing::error!(port, %error, "no more connections can be taken until some are closed; raise the limit of open files");
            }
            Ok(SHORTAGE_PAUSE)
        } else if listeners::is_peers(error) {
            Ok(Duration::ZERO)
        } else if listeners::is_broken(error) {
            Err(anyhow::anyhow!("the {port}'s port can't be listened on any more: {error}"))
        } else {
            if self.is_news() {
                tracing::warn!(port, %error, "a connection was not accepted");
            }
            Ok(listeners::ERROR_PAUSE)
        }
    }

    /// Whether the last one logged is long ago.
    fn is_news(&mut self) -> bool {
        let news = self.reported.is_none_or(|at| at.elapsed() >= REPORT_EVERY);
        if news {
            self.reported = Some(Instant::now());
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortage_that_lasts_is_logged_once_in_a_while() {
        let mut failures = NotAccepted::new("writer");
        assert_eq!(failures.pause(&io::Error::from_raw_os_error(24)).unwrap(), SHORTAGE_PAUSE);
        assert!(!failures.is_news());
        failures.reported = Instant::now().checked_sub(REPORT_EVERY);
        assert!(failures.is_news() && !failures.is_news());
    }

    #[test]
    fn only_a_listener_that_is_broken_ends_its_port() {
        let mut failures = NotAccepted::new("reader");
        assert_eq!(failures.pause(&io::ErrorKind::ConnectionReset.into()).unwrap(), Duration::ZERO);
        assert_eq!(failures.pause(&io::Error::from_raw_os_error(1)).unwrap(), listeners::ERROR_PAUSE);
        let error = failures.pause(&io::Error::from_raw_os_error(9)).unwrap_err().to_string();
        assert!(error.starts_with("the reader's port"), "{error}");
    }
}
