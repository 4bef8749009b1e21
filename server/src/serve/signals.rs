use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::events::{Events, HostEvent};

/// Exit code after a second signal: as a shell reports a process ended by it.
const SIGNALLED: i32 = 128;

/// Turns the first SIGTERM or SIGINT into an event; a second one ends the process at once, which loses nothing
/// that was acknowledged: the kernel has it.
///
/// # Errors
/// If the handlers can't be installed.
pub(super) fn watch(events: Events) -> std::io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let mut asked = false;
        for signal in signals.forever() {
            if asked {
                tracing::warn!(
                    "second signal: ending at once; what was acknowledged is put in order at the next start"
                );
                crate::stderr::finish();
                std::process::exit(SIGNALLED + signal);
            }
            asked = true;
            events.send(HostEvent::Signal(signal));
        }
    })?;
    Ok(())
}
