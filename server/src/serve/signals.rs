use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGALRM, SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGXFSZ};
use signal_hook::iterator::Signals;

use super::events::{Events, HostEvent};

/// Exit code after a second signal: as a shell reports a process ended by it.
const SIGNALLED: i32 = 128;
/// Signals within this time are one: GNU timeout sends its own to the process and to its group.
const SAME: Duration = Duration::from_secs(1);

/// Turns the first SIGTERM or SIGINT into an event; a second one ends the process at once, which loses nothing
/// that was acknowledged: the kernel has it. SIGHUP calls `read_again`. Signals that ask for what a host has not, are
/// logged and do no harm.
///
/// # Errors
/// If the handlers can't be installed.
pub(super) fn watch(events: Events, read_again: impl Fn() + Send + 'static) -> std::io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGALRM, SIGXFSZ])?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let (mut ending, mut said) = (Ending::default(), BTreeSet::new());
        for signal in signals.forever() {
            match signal {
                SIGTERM | SIGINT => match ending.heed(Instant::now()) {
                    Asked::First => events.send(HostEvent::Signal(signal)),
                    Asked::Same => {}
                    Asked::Again => {
                        tracing::warn!(
                            "second signal: ending at once; what was acknowledged is put in order at the next start"
                        );
                        crate::stderr::finish();
                        std::process::exit(SIGNALLED + signal);
                    }
                },
                SIGHUP => read_again(),
                // The kernel sends it for each write that it refuses, with EFBIG.
                SIGXFSZ if said.insert(signal) => tracing::error!(
                    "a file may not become as long as the host needs it; raise the limit of file sizes (LimitFSIZE=, ulimit -f) and restart the host"
                ),
                SIGXFSZ => {}
                signal => {
                    let name = signal_hook::low_level::signal_name(signal).unwrap_or("a signal");
                    tracing::warn!("{name} has no effect; SIGTERM ends the host");
                }
            }
        }
    })?;
    Ok(())
}

/// When the host was first asked to end.
#[derive(Debug, Default)]
struct Ending(Option<Instant>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    First,
    Same,
    Again,
}

impl Ending {
    fn heed(&mut self, now: Instant) -> Asked {
        match self.0 {
            None => {
                self.0 = Some(now);
                Asked::First
            }
            Some(first) if now.saturating_duration_since(first) < SAME => Asked::Same,
            Some(_) => Asked::Again,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_within_a_second_are_one() {
        let (mut ending, began) = (Ending::default(), Instant::now());
        let seen = [0, 1, 999, 1000].map(|millis| ending.heed(began + Duration::from_millis(millis)));
        assert_eq!(seen, [Asked::First, Asked::Same, Asked::Same, Asked::Again]);
    }
}
